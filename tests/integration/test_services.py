"""Children that are kept running: stand-ins for the services that are ready, die, hang or never start, as they like."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from standalone import services as services_module
from standalone.child import module_environment
from standalone.failures import CannotStart
from standalone.log_file import LogFile
from standalone.services import Services

READY = "import signal, sys, time; print('ready', sys.argv[1], '127.0.0.1:1', flush=True)\n"
OBEYS = READY + "signal.signal(signal.SIGTERM, lambda *_: (print('drained', flush=True), sys.exit(0)))\n"
WAITS = "while True: time.sleep(3600)\n"


def command(script: str, name: str = "stand-in") -> list[str]:
    return [sys.executable, "-c", script, name]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def services(tmp_path: Path, said: list[str]) -> Iterator[Services]:
    running = Services(tmp_path / "logs", said.append)
    yield running
    running.kill()


def start(services: Services, **scripts: str) -> None:
    services.start({name: command(script, name) for name, script in scripts.items()}, module_environment(os.environ))


def until(services: Services, condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        services.listen(0.05)
        services.look_after()


def test_start_returns_when_every_service_said_that_it_is_ready(services: Services, said: list[str]) -> None:
    start(services, collector=OBEYS + WAITS, query_api="import time; time.sleep(0.3)\n" + OBEYS + WAITS)
    assert said == ["ready collector 127.0.0.1:1", "ready query_api 127.0.0.1:1"]


def test_a_service_that_cannot_start_ends_it_with_its_last_words(services: Services) -> None:
    with pytest.raises(CannotStart, match=r"(?s)collector ended with status 3.*address in use"):
        start(services, collector="import sys; print('address in use', file=sys.stderr); sys.exit(3)")


def test_a_service_that_never_gets_ready_ends_it(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services_module, "START_SECONDS", 0.2)
    with pytest.raises(CannotStart, match="did not become ready"):
        start(services, collector="import time\n" + WAITS)


def dies_when_told(go: Path, how: str) -> str:
    return f"import os\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n{how}\n"


def test_a_service_that_dies_is_started_again_and_that_is_said(
    services: Services, said: list[str], tmp_path: Path
) -> None:
    go = tmp_path / "go"
    how = f"os.remove({str(go)!r}); os.kill(os.getpid(), signal.SIGKILL)"
    start(services, collector=OBEYS + dies_when_told(go, how))
    go.touch()
    until(services, lambda: said.count("ready collector 127.0.0.1:1") == 2)
    assert any("collector was ended by signal 9" in line and "started again in 0.5 s" in line for line in said)


def test_a_service_that_keeps_dying_is_given_up(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("standalone.restarts.FIRST_DELAY_SECONDS", 0.01)
    go = tmp_path / "go"
    start(services, collector=READY + dies_when_told(go, "sys.exit('no memory')"))
    go.touch()
    with pytest.raises(CannotStart, match=r"(?s)gave up after 5 restarts: collector ended with status 1.*no memory"):
        until(services, lambda: False)


def test_services_are_drained_in_their_order(services: Services, tmp_path: Path) -> None:
    notes = tmp_path / "order"
    noting = (
        "def note(*_):\n"
        f"    open({str(notes)!r}, 'a').write(sys.argv[1] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, note)\n"
    )
    script = READY.replace("; print", f"\n{noting}print") + WAITS
    start(services, collector=script, query_api=script)
    services.stop()
    assert notes.read_text() == "collector query_api "


def test_a_service_that_does_not_drain_is_killed(
    services: Services, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services_module, "DRAIN_SECONDS", 0.2)
    start(services, collector="import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + WAITS)
    services.stop()
    assert any("did not drain" in line for line in said)


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_services_by_itself(services: Services, tmp_path: Path) -> None:
    start(services, collector=OBEYS + "import os; print('group', os.getpgrp(), flush=True)\n" + WAITS)
    log = tmp_path / "logs" / "collector.log"
    until(services, lambda: "group" in log.read_text())
    assert f"group {os.getpgrp()}" not in log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux kills children of a killed parent")
def test_services_end_with_a_killed_parent(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    script = f"import os; open({str(told)!r}, 'w').write(str(os.getpid()))\n" + OBEYS + WAITS
    parent = os.fork()
    if parent == 0:
        start(Services(tmp_path / "logs", lambda _: None), collector=script)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    child = Path("/proc", told.read_text(), "stat")
    deadline = time.monotonic() + 30
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_log_is_kept_below_its_size_while_it_is_written_to(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "service.log", bytes_max=100)
    with log.open() as file:
        file.write(b"x" * 200 + b"\n")
        log.bound()
        file.write(b"after\n")
    assert log.path.read_bytes() == b"after\n"
    assert log.path.with_name("service.log.1").stat().st_size == 201
    assert log.tail(5) == ["after"]
    assert log.path.parent.stat().st_mode & 0o777 == 0o700
