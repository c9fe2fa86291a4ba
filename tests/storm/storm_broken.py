"""Collectors that are broken on purpose, each in a way that real ones have been: a storm must find every one out.

``python storm_broken.py <fault>`` runs a collector with that fault.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import collector.__main__ as program
import collector.fair_queue
import collector.otlp_lite
import finops.pricing
import ledger.append
import ledger.pool
import ledger.settling
from collector.admission import Admission, Full
from collector.arrival_clock import ArrivalClock
from collector.writer import Export, GroupWriter, Settled
from finops.counting import Arrivals, CallCounter
from finops.pricing import Priced
from finops.spans import AppendOutcome, Rejected, SpanRecord


def acknowledge_on_enqueue() -> None:
    """The answer is given when the spans are in memory."""
    submit = GroupWriter.submit

    def submit_and_answer(
        self: GroupWriter, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int
    ) -> "asyncio.Future[Any]":
        submit(self, batch, rejected, arrived_ns)
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answered.set_result(Settled(AppendOutcome()))
        return answered

    GroupWriter.submit = submit_and_answer  # type: ignore[method-assign]


def no_deduplication() -> None:
    """What comes again is posted again."""
    accept = CallCounter.accept

    def accept_all(self: CallCounter, records: Sequence[tuple[SpanRecord, int]]) -> Arrivals:
        for record, _ in records:
            trace = self._traces[record.tenant, record.trace_id]
            node = trace.node(record.span_id)
            if node is not None:
                node.posted = None
                trace.touched[id(node)] = node
                self._open[trace.key] = trace
        return accept(self, records)

    CallCounter.accept = accept_all  # type: ignore[method-assign]


def float_money() -> None:
    """Dollars are floats on their way into the ledger."""
    price = finops.pricing.price

    def price_in_dollars(*asked: Any) -> Any:
        priced = price(*asked)
        if not isinstance(priced, Priced):
            return priced
        dollars = sum(line.tokens * (line.rate_femto / 1e15) for line in priced.lines)
        return priced._replace(cost_pico=int(dollars * 1e12))

    ledger.settling.price = price_in_dollars  # type: ignore[attr-defined, assignment]


def commit_without_waiting() -> None:
    """Commits return before they are on disk."""
    configure = ledger.pool.configure

    async def hurried(connection: Any) -> None:
        await configure(connection)
        await connection.execute("set synchronous_commit = off")
        await connection.commit()

    ledger.pool.configure = hurried
    program.require_durable = _everything_is_fine  # type: ignore[attr-defined]


def acknowledge_without_room() -> None:
    """What neither the ledger nor the spool takes is answered as if they had."""
    settle = GroupWriter._settle

    def settle_all(group: Sequence[Export], settled: Any) -> None:
        settle(group, settled if isinstance(settled, Settled) else Settled(AppendOutcome()))

    GroupWriter._settle = staticmethod(settle_all)  # type: ignore[method-assign]


def first_come_first_served() -> None:
    """Whoever sends most has all the room."""

    def no_room(self: Admission, held: Any, size: int, spans: int, requests: int) -> Full | None:
        return Full("spans") if self.spans + spans > self.limits.spans else None

    Admission._no_room = no_room  # type: ignore[method-assign]
    collector.fair_queue._tenant_of = lambda export: ""


def follow_every_clock() -> None:
    """Arrivals are dated by whatever the system's clock says."""
    ArrivalClock.__call__ = lambda self: self._unix_ns()  # type: ignore[method-assign]


def late_is_now() -> None:
    """Calls count when they arrive."""
    ledger.append.event_time_ns = lambda start_ns, end_ns, arrived_ns: arrived_ns  # type: ignore[attr-defined]


def trust_the_wire() -> None:
    """Bytes that do not parse are nobody's business."""

    def parsed(kind: Any, data: bytes) -> Any:
        message = kind()
        message.ParseFromString(data)
        return message

    collector.otlp_lite.parse_or_none = parsed


async def _everything_is_fine(connection: Any, *, allow_fsync_off: bool = False) -> None:
    return None


FAULTS: dict[str, Callable[[], None]] = {
    fault.__name__: fault
    for fault in (
        acknowledge_on_enqueue,
        no_deduplication,
        float_money,
        commit_without_waiting,
        acknowledge_without_room,
        trust_the_wire,
        first_come_first_served,
        follow_every_clock,
        late_is_now,
    )
}


if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    sys.exit(program.main([], os.environ))
