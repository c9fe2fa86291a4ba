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
from collector.metrics import Metrics
from collector.otlp_status import Answer, Answers, Encoding, Outcome, Signal
from collector.pipeline import Clock, Pipeline, render_reasons
from collector.writer import GroupWriter
from finops.spans import AppendOutcome, Rejected, SpanRecord

ANSWERS = {Outcome.ACCEPTED, Outcome.PARTIAL, Outcome.UNDECODABLE}


class KeepingLedger:
    def __init__(self) -> None:
        self.records: list[SpanRecord] = []
        self.rejected: list[Rejected] = []

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        self.records += batch
        self.rejected += rejected
        return AppendOutcome(len(batch) + len(rejected), len(batch), 0, len(rejected))


class Bench:
    """A pipeline over a ledger that keeps everything."""

    def __init__(self, inline_decode_bytes_max: int = 1 << 20) -> None:
        self.ledger = KeepingLedger()
        metrics = Metrics()
        self.admission = Admission(Limits(1 << 24, 10**6, 100, 10**12), time.monotonic_ns)
        self.writer = GroupWriter(self.ledger, metrics, group_spans=1000, queue_requests=100, seconds=time.monotonic)
        self.decoding = Decoding(DECODERS, metrics, time.monotonic, inline_bytes_max=inline_decode_bytes_max)
        self.pipeline = Pipeline(
            self.decoding,
            self.writer,
            self.admission,
            metrics,
            Answers(lambda: 0.5),
            Clock(time.time_ns, time.monotonic),
            answer_seconds_max=10,
            accept_days_max=400,
        )

    async def answer(self, body: bytes, encoding: Encoding = Encoding.PROTOBUF) -> Answer:
        return await self.pipeline.answer(Signal.TRACES, "test", encoding, "", body)


async def bench_of(run: Callable[[Bench], Awaitable[None]], inline_decode_bytes_max: int = 1 << 20) -> None:
    bench = Bench(inline_decode_bytes_max)
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


def test_reasons_are_counted_and_few():
    assert render_reasons([], "span") == ""
    assert render_reasons([Rejected("invalid_id", "")], "span") == "1 span refused: invalid_id 1"
    many = [Rejected(f"reason{number}", "") for number in range(50)]
    assert len(render_reasons(many, "log record")) < 200
    assert "canary" not in render_reasons([Rejected("bad_usage", "canary")], "span")
