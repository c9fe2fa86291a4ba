"""What the pages tell to type is typed: every `curl` and every `agent-finops` of theirs, at a running service.

A page is read from top to bottom as somebody would who follows it. What an answer names (a budget, a destination) is
what the page calls it further down.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from alert_receiver import Receiver, receiving
from model_server_thread import model_server
from up_machine import Machine

from examples.model_server import ModelServer

ROOT = Path(__file__).resolve().parents[2]
FIRST = ("README.md", "docs/quickstart.md", "examples/README.md")
"""Read before the others: on some of those, tokens are made, and from then on nobody sends without one."""
OURS = ("curl ", "agent-finops ", "export TOKEN=", "export API=")
NOT_HERE = re.compile(r"agent-finops (?:up|migrate .*--to-timescale|doctor .*finops_…)")
"""What takes for ever, or a server of another kind, or a secret that only the reader has."""
NAMED = {"budgetId": "BUDGET", "destinationId": "DESTINATION", "silenceId": "SILENCE"}
"""What answers call it, and what pages call it."""


def commands(page: str) -> list[str]:
    """The lines of its fences that are asked of us, each whole."""
    inside, lines = False, []
    for line in re.sub(r"\\\n\s*", "", (ROOT / page).read_text("utf-8")).splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside and line.startswith(OURS) and not NOT_HERE.match(line):
            lines.append(line)
    return lines


OTHERS = sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))
PAGES = [page for page in dict.fromkeys([*FIRST, *OTHERS]) if commands(page)]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("pages"),
    pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl"),
]


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiving() as told:
        yield told


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with model_server("pages") as running:
        yield running


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A running service with a call in its ledger."""
    with tempfile.TemporaryDirectory(prefix="finops-pages-") as directory:
        Path(directory).chmod(0o755)  # as root, its database is another account's
        found = Machine(Path(directory))
        found.environment["FINOPS_ALERT_NETWORKS"] = "127.0.0.0/8"
        found.up()
        yield found
        found.down()


class Reader:
    """Somebody with a shell, who types what a page says."""

    def __init__(self, machine: Machine, elsewhere: dict[str, str]) -> None:
        self._directory = machine.directory
        self._elsewhere = elsewhere
        self._environment = {
            **machine.environment,
            "API": machine.api,
            "TOKEN": machine.token(),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
        }

    def type(self, line: str) -> str:
        """What is printed; what is answered with a fault is one here."""
        for ours, here in self._elsewhere.items():
            line = line.replace(ours, here)
        if line.startswith("curl ") and "--fail" not in line:
            line = line.replace("curl ", "curl --fail-with-body ", 1)
        if line.startswith("export "):
            line = f"{line}; env"
        shell = ["bash", "-e", "-u", "-o", "pipefail", "-c", line]
        ended = subprocess.run(
            shell, cwd=self._directory, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"
        self._remember(line, ended.stdout)
        return ended.stdout

    def _remember(self, line: str, said: str) -> None:
        if line.startswith("export "):
            told = dict(re.findall(r"^(TOKEN|API)=(.*)$", said, re.MULTILINE))
            assert told, said
            self._environment.update(told)
        for name, variable in NAMED.items():
            if found := re.search(rf'"{name}":"([^"]+)"', said):
                self._environment[variable] = found[1]


@pytest.mark.parametrize("page", PAGES)
async def test_what_a_page_tells_to_type_works(
    page: str, machine: Machine, hook: Receiver, models: ModelServer
) -> None:
    asked = commands(page)
    assert asked, "the page has nothing to type any more"
    elsewhere = {
        "http://127.0.0.1:8080": machine.api,
        "http://127.0.0.1:8090": models.url,
        "http://COLLECTOR:8081": f"http://{machine.environment['FINOPS_METRICS']}",
        "https://hooks.example.com/finops": hook.url,
    }
    reader = Reader(machine, elsewhere)
    for line in asked:
        said = await asyncio.to_thread(reader.type, line)
        if "/test" in line:
            assert json.loads(said)["delivered"] is True
    if any("hooks.example.com" in line for line in asked):
        assert [request.json["type"] for request in hook.requests] == ["alert.test"]


def test_the_pages_that_people_follow_have_something_to_type() -> None:
    walk = {"README.md", *(f"docs/{name}.md" for name in ("quickstart", "budgets", "alerts", "exports", "access"))}
    assert walk <= set(PAGES)
    assert sum(line.startswith("curl ") for page in PAGES for line in commands(page)) >= 25
