"""Any bytes at all get an answer of the contract, and leave nothing behind."""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.admission import Admission, Limits
from collector.decode import Decoded, decode_traces
from collector.decoders import DECODERS
from collector.decoding import Decoding
from collector.late import LateExports
from collector.metrics import Metrics
from collector.otlp_status import Answer, Answers, Encoding, Outcome, Signal
from collector.pipeline import Clock, Pipeline, render_reasons
from collector.writer import GroupWriter
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord

LATE_EXPORTS_MAX = 3
ANSWER_SOON = 0.5
LATE = (Outcome.UNAVAILABLE, "not durable in time")
ANSWERS = {Outcome.ACCEPTED, Outcome.PARTIAL, Outcome.UNDECODABLE}


class KeepingLedger:
    def __init__(self) -> None:
        self.records: list[SpanRecord] = []
        self.rejected: list[Rejected] = []
        self.appends = 0
        self.is_away = False
        self.open = asyncio.Event()
        self.open.set()

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        self.appends += 1
        await self.open.wait()
        if self.is_away:
            raise LedgerUnavailable("away")
        self.records += batch
        self.rejected += rejected
        return AppendOutcome(len(batch) + len(rejected), len(batch), 0, len(rejected))


class Bench:
    """A pipeline over a ledger that keeps everything."""

    def __init__(self, inline_decode_bytes_max: int, answer_seconds_max: float) -> None:
        self.ledger = KeepingLedger()
        self.metrics = metrics = Metrics()
        self.admission = Admission(Limits(1 << 24, 10**6, 100, 10**12), time.monotonic_ns)
        self.writer = GroupWriter(self.ledger, metrics, group_spans=1000, queue_requests=100, seconds=time.monotonic)
        self.decoding = Decoding(DECODERS, metrics, time.monotonic, inline_bytes_max=inline_decode_bytes_max)
        self.pipeline = Pipeline(
            self.decoding,
            self.writer,
            self.admission,
            LateExports(LATE_EXPORTS_MAX, metrics),
            metrics,
            Answers(lambda: 0.5),
            Clock(time.time_ns, time.monotonic),
            answer_seconds_max=answer_seconds_max,
            accept_days_max=400,
        )

    async def answer(self, body: bytes, encoding: Encoding = Encoding.PROTOBUF, tenant: str = "") -> Answer:
        return await self.pipeline.answer(Signal.TRACES, "test", encoding, tenant, body)

    async def answer_late(self, *bodies: bytes) -> None:
        """All at once, before the ledger has them."""
        self.ledger.open.clear()
        answers = await asyncio.gather(*map(self.answer, bodies))
        assert {(answer.outcome, answer.message) for answer in answers} == {LATE}

    def late(self, outcome: str) -> float:
        return self.metrics.value("finops_receive_late_exports_total", outcome=outcome)


async def bench_of(
    run: Callable[[Bench], Awaitable[None]], inline_decode_bytes_max: int = 1 << 20, answer_seconds_max: float = 10
) -> None:
    bench = Bench(inline_decode_bytes_max, answer_seconds_max)
    bench.writer.start()
    try:
        await run(bench)
    finally:
        assert await bench.writer.stop(10)
        bench.decoding.close()
    assert (bench.admission.requests, bench.admission.bytes, bench.admission.spans) == (0, 0, 0)


def export(spans: int, chance: random.Random) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "bot"
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    for _ in range(spans):
        span = scope.spans.add(trace_id=chance.randbytes(16), span_id=chance.randbytes(8), name="chat gpt-4o")
        span.start_time_unix_nano = span.end_time_unix_nano = 1_790_000_000_000_000_000
        span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
        span.attributes.add(key="gen_ai.request.model").value.string_value = "gpt-4o"
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = chance.randrange(1000)
    return request.SerializeToString()


def damaged(body: bytes, chance: random.Random) -> bytes:
    """Flips, cuts, doubles or inserts a few bytes."""
    bent = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(bent) + 1)
        match chance.randrange(4):
            case 0:
                bent[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del bent[at : at + chance.randint(1, 20)]
            case 2:
                bent[at:at] = bent[at : at + chance.randint(1, 30)]
            case _:
                bent[at:at] = chance.randbytes(chance.randint(1, 10))
    return bytes(bent)


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=400), min_size=1, max_size=20))
async def test_any_bytes_get_an_answer_that_keeps_no_sender_waiting(bodies: list[bytes]):
    async def run(bench: Bench) -> None:
        for encoding in Encoding:
            for body in bodies:
                assert (await bench.answer(body, encoding)).outcome in ANSWERS

    await bench_of(run)


async def test_damaged_exports_are_answered_and_what_can_be_read_is_kept():
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    chance = random.Random(seed)

    async def run(bench: Bench) -> None:
        seen: dict[Outcome, int] = dict.fromkeys(ANSWERS, 0)
        for _ in range(400):
            answer = await bench.answer(damaged(export(4, chance), chance))
            seen[answer.outcome] += 1
        assert seen[Outcome.ACCEPTED] + seen[Outcome.PARTIAL] > 50
        assert len(bench.ledger.records) > 200

    await bench_of(run)


async def test_a_large_body_is_decoded_beside_the_loop_with_the_same_result():
    body = export(300, random.Random(1))

    async def run(bench: Bench) -> None:
        assert (await bench.answer(body)).outcome is Outcome.ACCEPTED
        assert bench.ledger.records == decode_traces(body, "", 0).records

    await bench_of(run, inline_decode_bytes_max=0)


async def test_what_was_decoded_is_what_is_appended():
    body = export(5, random.Random(2))

    async def run(bench: Bench) -> None:
        await bench.answer(body)
        assert Decoded(bench.ledger.records, bench.ledger.rejected) == decode_traces(body, "", 0)

    await bench_of(run)


async def test_a_cancelled_sender_gives_its_room_back():
    async def run(bench: Bench) -> None:
        answering = asyncio.create_task(bench.answer(export(200, random.Random(3))))
        await asyncio.sleep(0)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering

    await bench_of(run, inline_decode_bytes_max=0)


async def test_who_comes_back_while_the_same_bytes_are_written_waits_for_that_commit():
    body = export(5, random.Random(4))

    async def run(bench: Bench) -> None:
        await bench.answer_late(body)
        again = asyncio.create_task(bench.answer(body))
        await asyncio.sleep(0.1)
        assert not again.done()
        bench.ledger.open.set()
        assert (await again).outcome is Outcome.ACCEPTED
        assert (bench.ledger.appends, len(bench.ledger.records)) == (1, 5)
        assert bench.metrics.value("finops_receive_late_exports") == 0

    await bench_of(run, answer_seconds_max=ANSWER_SOON)


async def test_who_comes_back_too_early_again_is_known_the_third_time_too():
    body = export(5, random.Random(5))

    async def run(bench: Bench) -> None:
        await bench.answer_late(body)
        await bench.answer_late(body)
        bench.ledger.open.set()
        assert (await bench.answer(body)).outcome is Outcome.ACCEPTED
        assert (bench.ledger.appends, len(bench.ledger.records)) == (1, 5)

    await bench_of(run, answer_seconds_max=ANSWER_SOON)


async def test_what_was_refused_is_told_to_who_comes_back_after_the_commit():
    chance = random.Random(6)
    request = ExportTraceServiceRequest.FromString(export(3, chance))
    request.resource_spans[0].scope_spans[0].spans[1].attributes[2].value.int_value = -1
    body = request.SerializeToString()

    async def run(bench: Bench) -> None:
        await bench.answer_late(body)
        bench.ledger.open.set()
        await asyncio.sleep(0.05)
        told = await bench.answer(body)
        assert (told.outcome, told.rejected, told.message) == (Outcome.PARTIAL, 1, "1 span refused: bad_usage 1")
        assert bench.ledger.appends == 1
        assert (await bench.answer(body)).outcome is Outcome.PARTIAL
        assert bench.ledger.appends == 2, "remembered for one return only"

    await bench_of(run, answer_seconds_max=ANSWER_SOON)


async def test_late_exports_that_the_ledger_did_not_take_are_appended_when_they_come_back():
    body = export(5, random.Random(7))

    async def run(bench: Bench) -> None:
        await bench.answer_late(body)
        bench.ledger.is_away = True
        bench.ledger.open.set()
        await asyncio.sleep(0.05)
        assert bench.metrics.value("finops_receive_late_exports") == 0
        bench.ledger.is_away = False
        assert (await bench.answer(body)).outcome is Outcome.ACCEPTED
        assert (bench.ledger.appends, len(bench.ledger.records)) == (2, 5)

    await bench_of(run, answer_seconds_max=ANSWER_SOON)


async def test_other_bytes_of_the_same_length_and_other_senders_are_not_taken_for_the_late_ones():
    body = export(5, random.Random(8))
    other = body.replace(b"gpt-4o", b"gpt-4x")

    async def run(bench: Bench) -> None:
        await bench.answer_late(body)
        bench.ledger.open.set()
        for come in (bench.answer(other), bench.answer(body, tenant="another")):
            assert (await come).outcome is Outcome.ACCEPTED
        assert bench.ledger.appends == 3
        assert bench.late("recognised") == 0

    await bench_of(run, answer_seconds_max=ANSWER_SOON)


async def test_of_too_many_late_exports_the_oldest_are_forgotten_and_only_sent_again():
    bodies = [export(number, random.Random(number)) for number in range(1, LATE_EXPORTS_MAX + 3)]

    async def run(bench: Bench) -> None:
        await bench.answer_late(*bodies)
        assert bench.late("forgotten") == 2
        assert bench.metrics.value("finops_receive_late_exports") == LATE_EXPORTS_MAX
        bench.ledger.open.set()
        for body in bodies:
            assert (await bench.answer(body)).outcome is Outcome.ACCEPTED
        assert bench.late("recognised") == LATE_EXPORTS_MAX

    await bench_of(run, answer_seconds_max=ANSWER_SOON)


def test_reasons_are_counted_and_few():
    assert render_reasons([], "span") == ""
    assert render_reasons([Rejected("invalid_id", "")], "span") == "1 span refused: invalid_id 1"
    many = [Rejected(f"reason{number}", "") for number in range(50)]
    assert len(render_reasons(many, "log record")) < 200
    assert "canary" not in render_reasons([Rejected("bad_usage", "canary")], "span")
