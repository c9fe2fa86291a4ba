"""Judges what each tool said of the recordings against what was billed.

    PYTHONPATH=tests python -m benchmarks.peers.verdicts FOLDER [--examples]

Right is: input and output tokens are those billed. Input may be told with or without what was read from or written to a
cache: a tool that tells those apart is right either way, so no tool is marked down for a convention. Money is judged
where two price lists agree on it (`benchmarks.peers.money`), and is right within a tenth of a per mille.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from corpus_count import is_full
from corpus_loader import Scenario, scenarios

from benchmarks.peers.money import costs

Said = list[float | None]
CLOSE = 1e-4


def billed(scenario: Scenario) -> tuple[int, int]:
    """Input and output tokens; all kinds of each."""
    calls = scenario.truth["billed_calls"]
    return (
        sum(call["input_tokens_total"] + call["embedding_tokens"] for call in calls),
        sum(call["output_tokens_total"] for call in calls),
    )


def verdict(scenario: Scenario, said: Said) -> str:
    """right, silent, too much or too little."""
    truth = billed(scenario)
    plain, output = int(said[0] or 0), int(said[1] or 0)
    with_cache = plain + int(said[2] or 0) + int(said[3] or 0)
    if output == truth[1] and truth[0] in (plain, with_cache):
        return "right"
    if not plain and not output:
        return "silent"
    return "too much" if output > truth[1] or min(plain, with_cache) > truth[0] else "too little"


def money(paid: float, said: float | None) -> str:
    """right, silent, too much or too little."""
    if not said:
        return "silent"
    if abs(said - paid) <= CLOSE * paid:
        return "right"
    return "too much" if said > paid else "too little"


def kind(scenario: Scenario) -> str:
    """What its spans can show."""
    if not scenario.truth["billed_calls"]:
        return "nothing billed"
    return "all in the spans" if is_full(scenario) else "in part or not at all"


def judged(said: dict[str, Any], paid: dict[str, float]) -> dict[str, Counter[str]]:
    """Verdicts by what the spans can show, and what other deliveries changed."""
    found: dict[str, Counter[str]] = {}
    for scenario in scenarios():
        first = said["recorded"][scenario.id]
        found.setdefault(kind(scenario), Counter())[verdict(scenario, first)] += 1
        if scenario.id in paid and is_full(scenario):
            found.setdefault("money", Counter())[money(paid[scenario.id], first[4])] += 1
        for delivery in ("again", "backwards"):
            changed = said[delivery][scenario.id][:2] != first[:2]
            found.setdefault(delivery, Counter())["changed" if changed else "same"] += 1
    return found


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Judge what was said of recordings.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--examples", action="store_true", help="name every recording that is not right")
    asked = parser.parse_args()
    paid = costs(scenarios())
    for file in sorted(asked.folder.glob("*.json")):
        said = json.loads(file.read_text())
        print(f"\n{file.stem}")
        for name, counts in judged(said, paid).items():
            print(f"  {name}: {', '.join(f'{count} {word}' for word, count in counts.most_common())}")
        refused = {name: counts for name, counts in said.items() if name.endswith("refused") and counts}
        if refused:
            print(f"  {refused}")
        if asked.examples:
            for scenario in scenarios():
                first = said["recorded"][scenario.id]
                if (word := verdict(scenario, first)) != "right":
                    print(f"    {word}: {scenario.id} billed {billed(scenario)} said {first} ({kind(scenario)})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
