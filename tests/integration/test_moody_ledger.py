"""Whatever the ledger says to a group, a span or a commit: what was sent is accepted or in suspense, and once."""

import random
import time
from collections.abc import Sequence
from uuid import uuid4

import pytest

from collector.metrics import Metrics
from collector.writer import GroupWriter, Settled
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore

SPANS = 300
POISONOUS = 23
"""Every so manieth span is one that the database refuses."""


class Indigestible(Exception):
    """As a database says it of a value."""

    sqlstate = "22003"


class MoodyLedger:
    """The real one, which fails before, instead of and after its commits."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self._ledger = ledger
        self._chance = random.Random(seed)
        self.moods: dict[str, int] = dict.fromkeys(("away", "refuses", "answer lost", "poison"), 0)

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        mood = self._chance.choices(("away", "refuses", "answer lost", "well"), (10, 5, 10, 75))[0]
        if mood == "away":
            self.moods[mood] += 1
            raise LedgerUnavailable("away")
        if any(is_poison(record) for record in batch):
            self.moods["poison"] += 1
            raise Indigestible
        if mood == "refuses" and batch:
            self.moods[mood] += 1
            raise ArithmeticError("a fault of ours")
        outcome = await self._ledger.append(batch, rejected, arrived_ns)
        if mood == "answer lost":
            self.moods[mood] += 1
            raise LedgerUnavailable("the answer to the commit was lost")
        return outcome


def is_poison(record: SpanRecord) -> bool:
    return int.from_bytes(record.span_id) % POISONOUS == 0


def a_call(number: int) -> SpanRecord:
    now = time.time_ns()
    return SpanRecord(
        "", (number // 5 + 1).to_bytes(16), number.to_bytes(8), b"", SpanClass.CALL, now - 10**9, now, scope="x",
        provider="openai", request_model="gpt-4o-mini", usage=TokenUsage(1000 + number, 10), usage_detail=2,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
async def test_accepted_and_suspended_are_what_was_generated(ledger_pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    ledger = MoodyLedger(Ledger(ledger_pool, RateStore(), writer=uuid4(), limits=Limits()), seed)
    writer = GroupWriter(ledger, Metrics(), group_spans=64, queue_requests=100, seconds=time.monotonic)
    writer.start()
    spans = [a_call(number) for number in range(1, SPANS + 1)]
    exports = []
    while spans:
        size = chance.randint(1, 9)
        exports.append(spans[:size])
        del spans[:size]
    while exports:
        sent = [exports.pop() for _ in range(min(len(exports), 5))]
        settled = [writer.submit(export, [], time.time_ns()) for export in sent]
        exports += [
            export for export, answer in zip(sent, settled, strict=True) if not isinstance(await answer, Settled)
        ]
    await writer.stop(10)
    assert min(ledger.moods.values()) >= 3, f"too good a mood to prove anything: {ledger.moods}"
    async with ledger_pool.connection() as connection:
        cursor = await connection.execute("select span_id from spans")
        accepted = {int.from_bytes(bytes(row[0])) for row in await cursor.fetchall()}  # type: ignore[call-overload]
        cursor = await connection.execute("select span_id from suspense")
        suspended = {int.from_bytes(bytes(row[0])) for row in await cursor.fetchall()}  # type: ignore[call-overload]
        cursor = await connection.execute("select sum(calls), sum(input_tokens) from entries")
        sums = await cursor.fetchone()
    poison = {number for number in range(1, SPANS + 1) if number % POISONOUS == 0}
    assert accepted | suspended == set(range(1, SPANS + 1))
    assert poison <= suspended
    assert not poison & accepted
    assert sums == (len(accepted), sum(1000 + number for number in accepted))
