"""Prints every recording with what was billed, what we count, and the verdict: `make corpus-report`."""

import sys

from corpus_count import COUNTS, EXCEPTIONS, Outcome, count, is_full
from corpus_loader import scenarios


def totals(outcome: Outcome, side: str) -> str:
    counts = outcome.expected if side == "expected" else outcome.got
    sums = (sum(value for key, value in counts.items() if key[1] == name) for name in COUNTS)
    return " ".join(f"{value:>6}" for value in sums)


def markers(outcome: Outcome) -> str:
    """Agent runs and tool calls, counted against done."""
    got = outcome.world.totals()
    truth = outcome.scenario.truth
    return f"runs {got['agent_runs']}/{truth['agent_runs']} tools {got['tool_calls']}/{truth['tool_executions']}"


def main() -> int:
    exact = wrong = within = 0
    print("counts:", " ".join(f"{name:>6.6}" for name in COUNTS))
    for scenario in scenarios():
        outcome = count(scenario)
        full = is_full(scenario)
        good = outcome.exact if full else outcome.within
        verdict = ("equal" if full else "within") if good else "DIFFERENT"
        if not good and scenario.id in EXCEPTIONS:
            verdict = f"excepted: {EXCEPTIONS[scenario.id]}"
        exact, within, wrong = exact + (full and good), within + (not full and good), wrong + (not good)
        print(
            f"{scenario.id}\n  billed {totals(outcome, 'expected')}\n  got    {totals(outcome, 'got')}  {verdict}  ",
            end="",
        )
        print(f"({scenario.truth['derivable']}; {markers(outcome)})")
    print(
        f"{exact} equal, {within} within what spans show in part, {wrong} different, "
        f"{len(EXCEPTIONS)} of them excepted with a reason"
    )
    return 0 if wrong == len(EXCEPTIONS) else 1


if __name__ == "__main__":
    sys.exit(main())
