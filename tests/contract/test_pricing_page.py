"""The rehearsal of docs/pricing.md, command by command: what the page shows is what is printed."""

import asyncio
import re
import shlex
from pathlib import Path

import pytest
from repricing_world import NOW_NS, a_ledger, assert_sums_agree, call

from ledger.pool import Pool
from standalone.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "pricing.md").read_text("utf-8")
CALLS = 12
STEPS = 5


def shown() -> list[tuple[str, str]]:
    """Commands of the rehearsal and what the page says they print."""
    rehearsal = PAGE.partition("## A rehearsal")[2]
    steps: list[tuple[str, str]] = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", rehearsal, re.DOTALL | re.MULTILINE):
        if language:
            continue
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = step.partition("\n")
            steps.append((command, printed))
    return steps


def contract() -> str:
    """The file the rehearsal imports."""
    found = re.search(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def masked(text: str) -> str:
    """Without what is another every time: run ids and the times of changes."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "RUN", text)
    text = re.sub(r'("effectiveFrom": )"[^"]*"', r'\1"TIME"', text)
    return re.sub(r"^(\d+  )\S+Z  ", r"\1TIME  ", text, flags=re.MULTILINE)


async def test_the_rehearsal_prints_what_the_page_shows(
    ledger_pool: Pool,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await a_ledger(ledger_pool).append([call(number) for number in range(1, CALLS + 1)], [], NOW_NS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contract.csv").write_text(contract(), "utf-8")
    steps = shown()
    assert len(steps) == STEPS
    for command, printed in steps:
        program, *words = shlex.split(command)
        assert program == "agent-finops"
        assert await asyncio.to_thread(main, [*words, "--database-url", database_url]) == 0
        assert masked(capsys.readouterr().out) == masked(printed), command
    await assert_sums_agree(ledger_pool)
