"""`agent-finops rates` on a real ledger."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from standalone import rate_command
from standalone.failures import CannotStart

Command = Callable[..., int]

HEADER = "modelId,provider,inputRatePerKTokens,outputRatePerKTokens\n"


@pytest.fixture
def rates(database_url: str, tmp_path: Path) -> Command:
    parser = argparse.ArgumentParser()
    rate_command.add_arguments(parser, {})

    def run(*words: str, text: str | None = None) -> int:
        file = tmp_path / "rates"
        if text is not None:
            file.write_text(text, "utf-8")
        named = [str(file)] if text is not None else []
        return rate_command.run(parser.parse_args([*words, *named, "--database-url", database_url]))

    return run


def test_what_was_imported_is_exported(rates: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert rates("import", text=f"{HEADER}gpt-4o,azure,0.002,0.008\nhome-made,,0,0\n") == 0
    assert "stated 2 of 2 rates" in capsys.readouterr().err
    assert rates("export") == 0
    written = capsys.readouterr().out
    assert written.splitlines()[1:] == [",,home-made,0,0,,,,,", ",azure.ai.openai,gpt-4o,0.002,0.008,,,,,"]
    assert rates("import", text=written) == 0
    assert "stated 0 of 2 rates" in capsys.readouterr().err


def test_a_slip_stops_the_whole_file_unless_confirmed(rates: Command, capsys: pytest.CaptureFixture[str]) -> None:
    slip = f"{HEADER}fine,,1,1\ngpt-4o,openai,2.5,10\n"
    with pytest.raises(CannotStart, match="gpt-4o: inputRatePerKTokens"):
        rates("import", text=slip)
    rates("export")
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert rates("import", "--confirm", text=slip) == 0


def test_a_dry_run_changes_nothing_and_shows_the_dollars_at_stake(
    rates: Command, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into usage_1d select '2026-11-20', 'acme', '', 'a', '', '', 'openai', 'gpt-4o', 'chat', 1, 0, 0,"
            " 2000000, 0, 0, 0, 0, 5000000000000, 0, 0, 0, 0, 0, 0, 0"
        )
    entry = {"litellm_provider": "openai", "input_cost_per_token": 3e-06, "output_cost_per_token": 1e-05}
    assert rates("import", "--litellm", "--dry-run", text=json.dumps({"gpt-4o": entry, "gpt-99": entry})) == 0
    told = capsys.readouterr()
    assert "openai  gpt-4o  5  6" in told.out
    assert "would state 2 of 2 rates" in told.err
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from rates").fetchone() == (0,)


def test_a_file_that_cannot_be_understood_is_refused_with_its_rows(rates: Command) -> None:
    with pytest.raises(CannotStart, match="row 2: inputRatePerKTokens must not be negative"):
        rates("import", text=f"{HEADER}a,,-1,1\n")
