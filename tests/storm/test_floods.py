"""More than there is room for: memory stays bounded, others keep their share, and nothing acknowledged is lost."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from storm.storm_flood import Load, calls_in, collector_over, sent_while, stalled
from storm.storm_processes import HERE, Server, server
from storm.storm_run import broken_in, seeded

from benchmarks.ingest_traffic import Template
from finops.access import Scope
from ledger.tokens import register
from standalone.database import in_ledger

LONG = os.environ.get("STORM") == "long"
pytestmark = [
    pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(600),
    pytest.mark.skipif(not LONG, reason="runs in make storm"),
]  # fmt: skip
STALL_SECONDS = 60.0
SHARED_MIB, LARGE_MIB, AFTERWARDS = 256.0, 1024.0, 1.3
FLOOD_SECONDS, FLOOD_SECONDS_MAX = 20.0, 120.0
QUIET_EXPORTS = 20
"""So many beside a flood, however slow the machine is; none of them sent away says that none waited longer than an
answer may take."""
ROOM_FOR_ALL = {"FINOPS_ADMITTED_SPANS_MAX": "10000000", "FINOPS_ADMITTED_BYTES_MAX": str(1 << 30)}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


def flood(postgres: Server, directory: Path, load: Load, settings: dict[str, str], stall: float) -> tuple[float, float]:
    """Peak, and afterwards in relation to before; what was acknowledged must be there."""
    with collector_over(postgres, directory, settings) as (collector, url, memory):

        def stall_for_a_while() -> None:
            time.sleep(2)
            with stalled(postgres):
                time.sleep(stall)

        warm = Template(512, "bare", 7)
        asyncio.run(sent_while(collector.address, [Load(8, warm.export, 512)], 6.0, lambda: None))
        time.sleep(4)
        base, before = memory.now(), calls_in(url)
        (sent,) = asyncio.run(sent_while(collector.address, [load], stall + 4, stall_for_a_while))
        time.sleep(4)
        after = memory.now()
        print(
            f"base {base:.0f} peak {memory.peak:.0f} afterwards {after:.0f} "
            f"MiB; {dict(sent.answers)}, acknowledged {sent.acknowledged}"
        )
        assert sent.answers["UNAVAILABLE"] > 10 * load.connections
        assert calls_in(url) - before == sent.acknowledged > 0
        assert broken_in(url, 1) == []
        return memory.peak, after / base


def test_a_hundred_senders_and_a_database_that_stands_still(postgres: Server, tmp_path: Path) -> None:
    peak, _ = flood(postgres, tmp_path, Load(100, Template(512, "bare", 1).export, 512), {}, STALL_SECONDS)
    assert peak <= SHARED_MIB


def test_exports_of_sixteen_mebibytes(postgres: Server, tmp_path: Path) -> None:
    load = Load(20, Template(5_600, "attr", 1).export, 5_600)
    peak, afterwards = flood(postgres, tmp_path, load, {}, 10)
    assert peak <= LARGE_MIB
    assert afterwards <= AFTERWARDS


def test_without_bounds_the_memory_is_found_out(postgres: Server, tmp_path: Path) -> None:
    peak, _ = flood(postgres, tmp_path, Load(200, Template(512, "bare", 1).export, 512), ROOM_FOR_ALL, 10)
    assert peak > SHARED_MIB


def small_spans(chance: random.Random) -> bytes:
    """A thousand calls of a hundred and fifty bytes or so."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    trace = chance.randbytes(16)
    now = time.time_ns()
    for _ in range(1000):
        span = scope.spans.add(trace_id=trace, span_id=chance.randbytes(8), name="chat")
        span.start_time_unix_nano = span.end_time_unix_nano = now
        span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
        span.attributes.add(key="gen_ai.request.model").value.string_value = "gpt-4o"
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 7
    return request.SerializeToString()


def beside_floods(
    postgres: Server, directory: Path, fault: str | None, floods: int, make: Callable[[], bytes], spans: int
) -> tuple[float, int]:
    """How long the quiet organisation waits (p99, milliseconds), and how often it was sent away."""
    command = ("-m", "collector") if fault is None else (str(HERE / "storm_broken.py"), fault)
    names = [f"loud{number}" for number in range(floods)]
    with collector_over(postgres, directory, {}, command) as (collector, url, memory):
        for org in (*names, "quiet"):
            in_ledger(url, partial(register, name=org, secret=f"fst_{org}", scopes=[Scope.INGEST], org_id=org))
        loud = [Load(60 // floods, make, spans, f"fst_{name}") for name in names]
        template = Template(10, "bare", 2)
        begun = 0

        def make_quiet() -> bytes:
            nonlocal begun
            begun += 1
            return template.export()

        def until_enough() -> None:
            due = time.monotonic() + FLOOD_SECONDS_MAX
            while begun <= QUIET_EXPORTS and time.monotonic() < due:
                time.sleep(0.1)

        quiet = Load(1, make_quiet, 10, "fst_quiet", pause_seconds=0.1)
        began = time.monotonic()
        *loudly, quietly = asyncio.run(sent_while(collector.address, [*loud, quiet], FLOOD_SECONDS, until_enough))
        took = time.monotonic() - began
        peak = memory.peak
        assert calls_in(url) == quietly.acknowledged + sum(one.acknowledged for one in loudly)
        assert broken_in(url, 1) == []
    refused = quietly.answers.total() - quietly.answers["OK"]
    sent_away = sum(one.answers["UNAVAILABLE"] for one in loudly)
    print(
        f"{floods} loud {sum(one.acknowledged for one in loudly) / took:.0f} spans/s, sent away {sent_away}; quiet p50 "
        f"{quietly.milliseconds(0.5):.0f} p99 {quietly.milliseconds(0.99):.0f} ms, acknowledged "
        f"{quietly.acknowledged}, sent away {refused}; peak {peak:.0f} MiB"
    )
    assert sent_away > 100
    assert len(quietly.seconds) >= QUIET_EXPORTS or fault is not None
    return quietly.milliseconds(0.99), refused


def beside_a_flood(postgres: Server, directory: Path, fault: str | None) -> tuple[float, int]:
    """One, of realistic spans."""
    return beside_floods(postgres, directory, fault, 1, Template(512, "bare", 1).export, 512)


def test_three_floods_of_small_spans_do_not_send_another_away(postgres: Server, tmp_path: Path) -> None:
    _, refused = beside_floods(postgres, tmp_path, None, 3, partial(small_spans, seeded()), 1000)
    assert refused == 0


def test_one_organisations_flood_does_not_send_another_away(postgres: Server, tmp_path: Path) -> None:
    _, refused = beside_a_flood(postgres, tmp_path, None)
    assert refused == 0


def test_a_build_in_which_all_share_one_room_is_found_out(postgres: Server, tmp_path: Path) -> None:
    _, refused = beside_a_flood(postgres, tmp_path, "first_come_first_served")
    assert refused > 0
