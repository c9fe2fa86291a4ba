"""The command line: options, their environment twins, what is asked wrongly, and failures as one line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from doors.settings_values import Address
from standalone import up
from standalone.addresses import parse_address
from standalone.cli import command_line, main


def test_up_has_the_defaults_of_the_contract() -> None:
    settings = up.settings_of(command_line({}).parse_args(["up"]))
    assert settings.data_dir == Path(".agent-finops")
    assert settings.database_url is None
    assert str(settings.otlp_grpc) == "127.0.0.1:4317"
    assert str(settings.otlp_http) == "127.0.0.1:4318"
    assert str(settings.api) == "127.0.0.1:8080"
    assert not settings.insecure


TWINS = [
    ("--data-dir", "FINOPS_DATA_DIR", "data_dir", "/srv/finops"),
    ("--database-url", "FINOPS_DATABASE_URL", "database_url", "postgresql://me@db/finops"),
    ("--otlp-grpc", "FINOPS_OTLP_GRPC", "otlp_grpc", "127.0.0.1:14317"),
    ("--otlp-http", "FINOPS_OTLP_HTTP", "otlp_http", "[::1]:14318"),
    ("--api", "FINOPS_API", "api", "0.0.0.0:18080"),
    ("--metrics", "FINOPS_METRICS", "metrics", "localhost:18081"),
    ("--postgres-port", "FINOPS_POSTGRES_PORT", "postgres_port", "15555"),
]


@pytest.mark.parametrize(("option", "variable", "name", "value"), TWINS)
def test_every_option_has_an_environment_twin(option: str, variable: str, name: str, value: str) -> None:
    told = up.settings_of(command_line({}).parse_args(["up", option, value]))
    inherited = up.settings_of(command_line({variable: value}).parse_args(["up"]))
    assert str(getattr(told, name)) == value
    assert getattr(told, name) == getattr(inherited, name)


def test_an_option_outranks_its_twin() -> None:
    settings = up.settings_of(command_line({"FINOPS_API": "127.0.0.1:1"}).parse_args(["up", "--api", "127.0.0.1:2"]))
    assert settings.api.port == 2


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["up", "--api", "nonsense"],
        ["up", "--api", "127.0.0.1:0"],
        ["up", "--otlp-grpc", "127.0.0.1:65536"],
        ["up", "--postgres-port", "x"],
        ["token"],
        ["token", "create"],
        ["token", "create", "n", "--scope", "everything"],
        ["token", "create", "n", "--days", "0"],
    ],
    ids=" ".join,
)
def test_what_is_asked_wrongly_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    assert "agent-finops" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["token", "show"], ["token", "list"], ["token", "revoke", "x"], ["migrate"]])
def test_a_data_dir_without_a_database_is_one_line_and_status_1(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FINOPS_DATABASE_URL", raising=False)
    assert main([*command, "--data-dir", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"agent-finops: there is no .*agent-finops up.*\n", said.err)


def test_a_database_that_does_not_answer_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--database-url", "postgresql://nobody@127.0.0.1:1/none"]) == 1
    assert re.fullmatch(r"agent-finops: the database: connection .*refused.*\n", capsys.readouterr().err)


def test_the_version_is_data_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"version", "python"}


@pytest.mark.parametrize(
    ("text", "loopback", "from_here"),
    [
        ("127.0.0.1:80", True, "127.0.0.1:80"),
        ("127.8.8.8:80", True, "127.8.8.8:80"),
        ("localhost:80", True, "localhost:80"),
        ("[::1]:80", True, "[::1]:80"),
        ("0.0.0.0:80", False, "127.0.0.1:80"),
        ("[::]:80", False, "[::1]:80"),
        ("10.0.0.1:80", False, "10.0.0.1:80"),
        ("finops.example:80", False, "finops.example:80"),
    ],
)
def test_an_address_knows_who_reaches_it(text: str, loopback: bool, from_here: str) -> None:
    address = parse_address(text)
    assert str(address) == text
    assert address.is_loopback is loopback
    assert str(address.from_here) == from_here


@pytest.mark.parametrize("text", ["", ":", "host", "host:", ":80", "host:-1", "host:٣", "host:99999"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


def test_an_ipv6_host_is_written_in_brackets() -> None:
    assert str(Address("::1", 80)) == "[::1]:80"


def test_a_reader_who_has_enough_is_no_fault() -> None:
    command = [sys.executable, "-m", "standalone", "completion", "bash"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 1
