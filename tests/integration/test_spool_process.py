"""A real collector whose database goes away: it answers, is killed, comes back, and everything is counted once."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx2
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from storm.storm_processes import Collector, environment_of

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
CANARY = "canary-9c1e"
SENT = 5


@pytest.fixture
def collector(database_url: str, tmp_path: Path) -> Iterator[Collector]:
    settings = {
        "FINOPS_SPOOL_DIR": str(tmp_path / "spool"),
        "FINOPS_SPOOL_AFTER_MS": "100",
        "FINOPS_ALLOW_FSYNC_OFF": "1",
    }
    running = Collector(environment_of(database_url, settings), ["-m", "collector"], tmp_path / "log")
    running.start()
    yield running
    running.stop()


@contextmanager
def away(postgres_url: str, database_url: str) -> Iterator[None]:
    """Nobody can reach the database meanwhile."""
    name = database_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"alter database {name} with allow_connections false")
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        yield
        connection.execute(f"alter database {name} with allow_connections true")


def export(number: int) -> bytes:
    """One call whose clock is a day ahead, so that its time is that of its arrival."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="chat gpt-4o-mini")
    span.trace_id, span.span_id = number.to_bytes(16), number.to_bytes(8)
    span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns() + 86_400 * 10**9
    for key, value in (
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-4o-mini"),
        ("gen_ai.input.messages", CANARY),
    ):
        span.attributes.add(key=key).value.string_value = value
    span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 10
    return request.SerializeToString()


def send(collector: Collector, numbers: range) -> None:
    with grpc.insecure_channel(collector.address) as channel:
        for number in numbers:
            assert channel.unary_unary(EXPORT)(export(number), timeout=10) == b""


def until_drained(collector: Collector) -> None:
    due = time.monotonic() + 30
    while collector.spooled():
        assert time.monotonic() < due
        time.sleep(0.05)  # the page is all there is to look at


@pytest.mark.slow
def test_what_was_answered_without_a_database_is_counted_once_at_its_own_time_and_no_prompt_is_on_the_disk(
    collector: Collector, database_url: str, postgres_url: str, tmp_path: Path
) -> None:
    send(collector, range(1, 2))
    with away(postgres_url, database_url):
        began = time.time()
        send(collector, range(2, SENT + 1))
        answered = time.time()
        ready = httpx2.get(f"http://{collector.metrics}/health/ready", timeout=10)
        assert (ready.status_code, ready.json()["spool"]["spilling"]) == (200, True)
        assert ready.json()["spool"]["exports"] > 0
        collector.end(signal.SIGKILL)
        on_disk = b"".join(path.read_bytes() for path in (tmp_path / "spool").iterdir())
        assert b"gpt-4o-mini" in on_disk
        assert CANARY.encode() not in on_disk
        time.sleep(1)  # so that the time of draining is another than the time of arrival
    collector.start()
    until_drained(collector)
    assert collector.end(signal.SIGTERM) == 0
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "select extract(epoch from event_time), calls from entries order by span_id"
        ).fetchall()
    assert [calls for _, calls in rows] == [1] * SENT
    assert all(began - 0.01 <= float(moment) <= answered for moment, _ in rows[1:])
    assert CANARY not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_without_a_database_and_without_room_senders_are_told_to_come_back(
    collector: Collector, database_url: str, postgres_url: str, tmp_path: Path
) -> None:
    collector.end(signal.SIGTERM)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "spool").iterdir())
    small = {**collector.environment, "FINOPS_SPOOL_BYTES_MAX": "65536"}
    running = Collector(small, ["-m", "collector"], tmp_path / "log")
    running.start()
    send(running, range(1, 2))
    try:
        with away(postgres_url, database_url), grpc.insecure_channel(running.address) as channel:
            codes = []
            for number in range(2, 2000):
                try:
                    channel.unary_unary(EXPORT)(export(number), timeout=10)
                except grpc.RpcError as refused:
                    codes.append(refused.code())
                    trailers = {key for key, _ in refused.trailing_metadata()}
                    break
            assert codes == [grpc.StatusCode.UNAVAILABLE]
            assert trailers >= {"grpc-status-details-bin", "google.rpc.retryinfo-bin"}
    finally:
        running.stop()


@pytest.mark.slow
def test_it_starts_as_soon_as_the_database_is_there(
    collector: Collector, database_url: str, postgres_url: str, tmp_path: Path
) -> None:
    """The pool of connections tries for a second by itself."""
    collector.end(signal.SIGTERM)
    with away(postgres_url, database_url):
        collector.begin()
        due = time.monotonic() + 30
        while "failed after 1 sec" not in (tmp_path / "log").read_text():
            assert time.monotonic() < due
            time.sleep(0.05)  # the log is all there is to look at
    began = time.monotonic()
    collector.wait()
    assert time.monotonic() - began < 20, "then it waited for what nobody tried any more"
    send(collector, range(1, 2))
