"""The stack over a database of one's own, with stand-ins for the services that write down what they were told."""

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from doors.settings_values import Address
from finops.access import Scope, token_digest
from ledger.tokens import register
from standalone.database import in_ledger
from standalone.failures import CannotStart
from standalone.processes import Stack, StackSettings

STAND_IN = """
import json, os, signal, sys, time
told = {name: value for name, value in os.environ.items() if name.startswith("FINOPS_")}
open(sys.argv[1], "w").write(json.dumps(told))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("ready stand-in here", flush=True)
while True: time.sleep(3600)
"""
EVERYWHERE = Address("0.0.0.0", 4317)
StackOf = Callable[..., Stack]


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Where the stand-in writes its environment."""
    return tmp_path / "told.json"


@pytest.fixture
def stack_of(tmp_path: Path, told: Path, database_url: str) -> Iterator[StackOf]:
    stacks: list[Stack] = []

    def make(data_dir: str = "data", **settings: object) -> Stack:
        stack = Stack(
            StackSettings(data_dir=tmp_path / data_dir, database_url=database_url, **settings),  # type: ignore[arg-type]
            {"PATH": os.environ["PATH"]},
            lambda line: None,
            commands={"stand-in": [sys.executable, "-c", STAND_IN, str(told)]},
        )
        stacks.append(stack)
        return stack

    yield make
    for stack in stacks:
        stack.kill()


def valid_tokens(url: str) -> set[bytes]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT sha256 FROM tokens WHERE revoked_at IS NULL").fetchall()
    return {bytes(row[0]) for row in rows}


def test_a_database_of_ones_own_is_used_and_the_services_are_told(
    stack_of: StackOf, told: Path, database_url: str, tmp_path: Path
) -> None:
    stack = stack_of()
    stack.start()
    heard = json.loads(told.read_text())
    assert heard["FINOPS_DATABASE_URL"] == database_url
    assert heard["FINOPS_OTLP_GRPC"] == "127.0.0.1:4317"
    assert heard["FINOPS_API"] == "127.0.0.1:8080"
    assert heard["FINOPS_DATA_DIR"] == str(tmp_path / "data")
    assert not (tmp_path / "data" / "postgres").exists()


def test_the_admin_token_is_made_once_and_known_by_its_hash_only(
    stack_of: StackOf, database_url: str, tmp_path: Path
) -> None:
    first = stack_of()
    first.start()
    assert first.admin_token.startswith("finops_")
    assert len(first.admin_token) >= len("finops_") + 43
    assert stat.S_IMODE((tmp_path / "data" / "admin-token").stat().st_mode) == 0o600
    first.stop()
    second = stack_of()
    second.start()
    assert second.admin_token == first.admin_token
    assert token_digest(first.admin_token) in valid_tokens(database_url)


def test_two_data_directories_over_one_database_leave_each_others_token_valid(
    stack_of: StackOf, database_url: str
) -> None:
    here, there = stack_of("here"), stack_of("there")
    here.start()
    there.start()
    assert here.admin_token != there.admin_token
    assert {token_digest(stack.admin_token) for stack in (here, there)} <= valid_tokens(database_url)


def test_a_revoked_admin_token_is_replaced(stack_of: StackOf, database_url: str) -> None:
    first = stack_of()
    first.start()
    first.stop()
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE tokens SET revoked_at = now()")
    second = stack_of()
    second.start()
    assert second.admin_token != first.admin_token
    assert valid_tokens(database_url) == {token_digest(second.admin_token)}


def test_a_data_directory_serves_one_stack_at_a_time(stack_of: StackOf) -> None:
    stack_of().start()
    with pytest.raises(CannotStart, match=f"in use by process {os.getpid()}"):
        stack_of().start()


def test_an_open_door_beyond_this_machine_is_refused_and_everything_stopped(stack_of: StackOf, told: Path) -> None:
    with pytest.raises(CannotStart, match="without tokens or TLS"):
        stack_of(otlp_grpc=EVERYWHERE).start()
    assert not told.exists()
    stack_of(otlp_grpc=EVERYWHERE, insecure=True).start()
    assert json.loads(told.read_text())["FINOPS_INSECURE"] == "1"


def test_an_ingest_token_makes_a_door_beyond_this_machine_fit_to_open(
    stack_of: StackOf, told: Path, database_url: str
) -> None:
    in_ledger(database_url, lambda it: register(it, name="agents", secret="s", scopes=[Scope.INGEST]))
    stack = stack_of(otlp_grpc=EVERYWHERE)
    stack.start()
    assert json.loads(told.read_text())["FINOPS_INGEST_TOKENS_REQUIRED"] == "1"
    assert stack.otlp_grpc_url == "http://127.0.0.1:4317"


def test_a_database_that_refuses_is_one_sentence(stack_of: StackOf, database_url: str) -> None:
    stack = stack_of()
    stack.settings = StackSettings(data_dir=stack.settings.data_dir, database_url=database_url + "_not_there")
    with pytest.raises(CannotStart, match=r"^the database: .*does not exist$"):
        stack.start()
