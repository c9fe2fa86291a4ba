"""A test run says at its beginning on which engines the contract suite runs, quiet as `make test` is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("quiet", [["-q"], []])
def test_a_run_says_which_engines_it_has(quiet: list[str]) -> None:
    lacking = {name: value for name, value in os.environ.items() if not name.startswith(("FINOPS_TEST_", "PYTEST_"))}
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, "-n", "0", "--collect-only", __file__],
        cwd=Path(__file__).resolve().parents[2],
        env=lacking,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    told = answer.stdout.splitlines()
    assert [line for line in told if line.startswith("agent-finops: python")], answer.stdout + answer.stderr
    assert [line for line in told if line == "  engine timescale: does not run: FINOPS_TEST_TIMESCALE_URL is unset"]
    assert [line for line in told if line == "  engine apache: does not run: FINOPS_TEST_APACHE_URL is unset"]
