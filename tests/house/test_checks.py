"""What `make check` says is true of every commit: formatted, without lint, and typed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", ["ruff format --check .", "ruff check .", "mypy"])
def test_a_check_passes(command: str) -> None:
    program, *words = command.split()
    answer = subprocess.run(
        [Path(sys.executable).with_name(program), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("finops/hole.py", "from datetime import datetime\n\ndatetime.now()\n"),
        ("collector/hole.py", "import os\n\nos.environ.get('FINOPS_API')\n"),
        ("ledger/hole.py", "import time\n\ntime.time()\n"),
        ("ledger/hole.py", "from psycopg import sql\n\nsql.SQL('')\n"),
        ("query_api/hole.py", "import os\n\nos.getenv('FINOPS_API')\n"),
    ],
)
def test_clock_environment_and_composed_sql_are_refused(place: str, line: str) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    answer = subprocess.run(
        [ruff, "check", "--select", "TID251", "--stdin-filename", place, "-"],
        cwd=ROOT, input=line, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "TID251" in answer.stdout
