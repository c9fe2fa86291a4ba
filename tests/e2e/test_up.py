"""`agent-finops up` as a person runs it: what it prints, that it keeps what it was sent, and how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from up_machine import READY_SECONDS, Machine, children_of, command_of, is_running, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def machine() -> Iterator[Machine]:
    directory = Path(tempfile.mkdtemp(prefix="finops-up-"))
    directory.chmod(0o755)
    found = Machine(directory)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.down()
    shutil.rmtree(directory)


@on_linux
def test_up_says_what_is_ready_serves_it_and_leaves_nothing_running(machine: Machine) -> None:
    machine.up()
    said = machine.output()
    token = machine.token()
    assert re.findall(r"^ready (\S+)", said, re.MULTILINE) == ["postgres", "collector", "query_api"]
    assert f"{machine.api}/#token={token}\n" in said
    assert f"export OTEL_EXPORTER_OTLP_ENDPOINT=http://{machine.environment['FINOPS_OTLP_GRPC']}\n" in said
    assert "export OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n" in said
    status, health = machine.get("/actuator/health")
    assert (status, health["components"]["collector"]["status"]) == (200, "UP"), health
    assert machine.get("/api/v1/finops/trends")[0] == 401
    assert machine.get("/api/v1/finops/trends", token) == (200, [])
    data = machine.directory / "data"
    secrets = [data / "admin-token", data / "postgres.json"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in secrets] == [0o600, 0o600]
    password = json.loads(secrets[1].read_text())["password"]
    family = [machine.pid, *children_of(machine.pid)]
    assert not [pid for pid in family if token in command_of(pid) or password in command_of(pid)]
    assert machine.down() == 0
    assert not [pid for pid in family if is_running(pid)]
    assert machine.output().endswith("stopped\n")


def test_what_was_sent_is_there_after_a_restart_under_the_same_token(machine: Machine) -> None:
    machine.up()
    examined = machine.run("doctor")
    assert examined.returncode == 0, examined.stdout + examined.stderr
    assert "1000 input and 100 output tokens cost 0.00021 USD" in examined.stdout
    first = re.search(r"^psql .*", machine.output(), re.MULTILINE)
    token = machine.token()
    assert machine.down(signal.SIGINT) == 0
    machine.up()
    assert machine.token() == token
    assert machine.calls() == 1
    assert first is not None
    assert first[0] in machine.output()
    assert machine.down() == 0


@on_linux
def test_what_was_acknowledged_survives_that_everything_is_killed(machine: Machine) -> None:
    machine.up()
    assert machine.run("doctor").returncode == 0
    machine.kill_everything()
    machine.up()
    assert machine.calls() == 1
    assert machine.run("doctor").returncode == 0
    assert machine.calls() == 2
    sung = machine.run("canary", "--seconds", "2", "--every", "0.2", "--within", "20")
    assert sung.returncode == 0, sung.stderr
    assert re.fullmatch(r"([3-9]|1\d) sent, 0 mismatched, 0 refused\n", sung.stdout), sung.stdout
    assert machine.run("suspense", "list").stdout == "nothing is in suspense\n"
    assert machine.down() == 0


@on_linux
def test_a_process_that_dies_is_started_again_and_said_so(machine: Machine) -> None:
    machine.up()
    for deaths, victim in enumerate(["-m collector", "-m query_api", "postgres -D"], start=1):
        os.kill(machine.child(victim), signal.SIGKILL)
        until(partial(machine.is_ready, 3 + deaths), f"a new ready line after the death of {victim}")
        assert machine.output().count("started again") == deaths
        until(machine.examined, "the doctor to be content again")
        assert machine.calls() >= deaths
    assert machine.down() == 0


@on_linux
def test_a_taken_port_is_named_and_nothing_is_left_running(machine: Machine) -> None:
    port = machine.environment["FINOPS_API"].rpartition(":")[2]
    with socket.create_server(("127.0.0.1", int(port))):
        machine.begin()
        assert machine.process is not None
        assert machine.process.wait(READY_SECONDS) == 1
    said = machine.output()
    assert "agent-finops: query_api ended with status" in said
    assert port in said.partition("agent-finops: ")[2]
    assert not [path for path in Path("/proc").glob("[0-9]*") if str(machine.directory) in command_of(int(path.name))]


def test_a_data_directory_is_not_run_twice(machine: Machine) -> None:
    machine.up()
    second = machine.run("up")
    assert second.returncode == 1
    assert f"in use by process {machine.pid}" in second.stderr
    assert machine.get("/actuator/health")[0] == 200
    assert machine.down() == 0


def test_a_door_beyond_this_machine_needs_a_token_or_an_open_eye(machine: Machine) -> None:
    door = "0.0.0.0:" + machine.environment["FINOPS_OTLP_GRPC"].rpartition(":")[2]
    refused = machine.run("up", "--otlp-grpc", door)
    assert refused.returncode == 1
    assert "without tokens or TLS" in refused.stderr
    machine.up("--otlp-grpc", door, "--insecure")
    assert machine.run("doctor").returncode == 0
    assert machine.down() == 0
    token = machine.run("token", "create", "agents").stdout.strip()
    machine.up("--otlp-grpc", door)
    stranger = machine.run("doctor", "--json")
    assert stranger.returncode == 1
    assert json.loads(stranger.stdout)[-1]["step"] == "span"
    assert "UNAUTHENTICATED" in stranger.stdout
    assert machine.run("doctor", "--ingest-token", token).returncode == 0
    assert machine.down() == 0


@on_linux
def test_a_second_ctrl_c_ends_what_does_not_drain(machine: Machine) -> None:
    machine.up()
    stuck = machine.child("-m collector")
    os.kill(stuck, signal.SIGSTOP)
    machine.process.send_signal(signal.SIGINT)  # type: ignore[union-attr]
    until(lambda: "stopping" in machine.output(), "the first Ctrl-C to be noticed")
    time.sleep(0.6)  # sooner is taken for the same Ctrl-C
    assert machine.down(signal.SIGINT) == 130
    assert not is_running(stuck)


def test_tokens_are_made_listed_and_revoked_beside_a_running_up_and_without_it(machine: Machine) -> None:
    machine.up()
    assert machine.run("token", "show").stdout.strip() == machine.token()
    made = json.loads(machine.run("token", "create", "dashboard", "--scope", "read", "--json").stdout)
    assert made["scopes"] == ["read"]
    assert machine.get("/api/v1/finops/trends", made["token"])[0] == 200
    assert machine.down() == 0
    assert made["token"] not in machine.run("token", "list").stdout
    assert machine.run("token", "revoke", "dashboard").returncode == 0
    assert machine.run("token", "revoke", "dashboard").returncode == 1
    listed = {row["name"]: row["state"] for row in json.loads(machine.run("token", "list", "--json").stdout)}
    assert listed.pop("dashboard") == "revoked"
    assert set(listed.values()) == {"valid"}
    assert machine.run("migrate").stdout == "the database is up to date\n"
    machine.up()
    assert machine.get("/api/v1/finops/trends", made["token"])[0] == 401
    assert machine.down() == 0


def test_the_doctor_names_what_is_missing(machine: Machine) -> None:
    assert "is agent-finops up?" in machine.run("doctor").stdout
    machine.up()
    wrong = machine.run("doctor", "--token", "finops_wrong")
    assert wrong.returncode == 1
    assert "(401)" in wrong.stdout
    elsewhere = machine.run("doctor", "--api", "http://127.0.0.1:9")
    assert elsewhere.returncode == 1
    assert "MISSING api" in elsewhere.stdout
    assert machine.down() == 0
