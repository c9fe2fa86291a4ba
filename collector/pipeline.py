"""One export from its bytes to its answer, whichever door it came through: admission, decode, append, answer.

The doors read bytes and write answers; what a span means is ``decode``'s, what is durable is the writer's.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import starmap
from typing import NamedTuple

from collector.admission import Admission, Full, Ticket
from collector.decode import Undecodable
from collector.decode_process import Lost
from collector.decoding import Decoding
from collector.late import Answering, LateExports, Shape
from collector.log_format import Sparse, where
from collector.metrics import ANSWER_SECONDS, BYTES, DECODE_SECONDS, DECODED, REFUSED, REJECTED, Metrics
from collector.otlp_status import Answer, Answers, Encoding, Outcome, Signal, accept, refuse
from collector.span_count import spans_in
from collector.suspended import with_record
from collector.writer import GroupWriter, Settled
from finops.event_time import split_late
from finops.spans import LedgerUnavailable, Rejected, SpanRecord

REASONS_SHOWN_MAX = 8
_NOUNS = {Signal.TRACES: "span", Signal.LOGS: "log record", Signal.METRICS: "data point"}
logger = logging.getLogger("collector.receive")


class Taken(NamedTuple):
    """What of one export goes to the ledger."""

    records: list[SpanRecord]
    rejected: list[Rejected]


class Clock(NamedTuple):
    """Time as arguments: Unix nanoseconds, and monotonic seconds."""

    unix_ns: Callable[[], int]
    monotonic: Callable[[], float]


class Pipeline:
    """Answers exports. A signal without a decoder is accepted, ignored and counted."""

    def __init__(
        self,
        decoding: Decoding,
        writer: GroupWriter,
        admission: Admission,
        late: LateExports,
        metrics: Metrics,
        answers: Answers,
        clock: Clock,
        *,
        answer_seconds_max: float,
        accept_days_max: int,
    ) -> None:
        self._decoding = decoding
        self._writer = writer
        self._admission = admission
        self._late = late
        self._metrics = metrics
        self._answers = answers
        self._clock = clock
        self._answer_seconds_max = answer_seconds_max
        self._accept_days_max = accept_days_max
        self._sparse = Sparse(clock.monotonic)

    def refusal(self, tenant: str, size: int | None = None) -> Answer | None:
        """What to answer without reading the body, or None: come in. ``size`` None: not known yet."""
        full = self._admission.refusal(tenant, size)
        return self._full(full) if full is not None else None

    async def answer(self, signal: Signal, transport: str, encoding: Encoding, tenant: str, body: bytes) -> Answer:
        """Answers one export after what it holds is durable. Never raises but for cancellation."""
        began = self._clock.monotonic()
        self._metrics.count(BYTES, signal.value, transport, by=len(body))
        try:
            return await self._export(signal, encoding, tenant, body)
        except LedgerUnavailable as unavailable:
            return self._answers.retry(Outcome.UNAVAILABLE, str(unavailable))
        except Exception as fault:  # noqa: BLE001 - a fault of ours must not make a sender drop its data
            return self.fault(fault)
        finally:
            self._metrics.observe(ANSWER_SECONDS, self._clock.monotonic() - began, signal.value)

    def fault(self, fault: Exception) -> Answer:
        """The answer to a fault of our own: keep your data and come back."""
        self._warn("fault", "unexpected fault", fault=where(fault))
        return self._answers.retry(Outcome.UNAVAILABLE, "internal fault")

    async def _export(self, signal: Signal, encoding: Encoding, tenant: str, body: bytes) -> Answer:
        if not self._decoding.knows(signal, encoding):
            self._warn(f"ignored {signal.value}", f"{signal.value} are accepted and ignored: they carry no cost")
            return Answer(Outcome.IGNORED)
        if not body and encoding is Encoding.PROTOBUF:
            return accept()
        ticket = self._admission.admit(tenant, len(body))
        if isinstance(ticket, Full):
            return self._full(ticket)
        shape = Shape(tenant, signal, encoding, len(body))
        handed_over = False
        try:
            answering = await self._late.take(shape, body)
            if answering is None:
                submitted = await self._decode_and_submit(shape, ticket, body)
                if isinstance(submitted, Answer):
                    return submitted
                answering = submitted
                answering.add_done_callback(lambda _: ticket.leave())
                handed_over = True
            return await self._in_time(shape, body, answering)
        finally:
            if not handed_over:
                ticket.leave()

    async def _decode_and_submit(self, shape: Shape, ticket: Ticket, body: bytes) -> Answering | Answer:
        tenant, signal, encoding, _ = shape
        # Counted only in bytes there is room for: whoever comes back again and again costs no search.
        full = ticket.hold_spans(spans_in(signal, encoding, body))
        if full is not None:
            return self._full(full)
        arrived_ns = self._clock.unix_ns()
        decoded = await self._decoded(signal, encoding, tenant, arrived_ns, body)
        if decoded is None:
            return refuse(Outcome.UNDECODABLE, f"no {_NOUNS[signal]} could be read from this body")
        if not decoded.records and not decoded.rejected:
            return accept()
        full = ticket.hold_spans(len(decoded.records) + len(decoded.rejected))
        if full is not None:
            return self._full(full)
        answering: Answering = asyncio.get_running_loop().create_future()

        def settled(ended: "asyncio.Future[Settled | LedgerUnavailable]") -> None:
            answering.set_result(self._settled(signal, ended.result(), decoded.rejected))

        self._writer.submit(decoded.records, decoded.rejected, arrived_ns).add_done_callback(settled)
        return answering

    async def _in_time(self, shape: Shape, body: bytes, answering: Answering) -> Answer:
        # wait() leaves the future alone when the sender goes away or time runs out: its group goes on.
        done, _ = await asyncio.wait({answering}, timeout=self._answer_seconds_max)
        if done:
            return answering.result()
        await self._late.remember(shape, body, answering)
        return self._answers.retry(Outcome.UNAVAILABLE, "not durable in time")

    async def _decoded(
        self, signal: Signal, encoding: Encoding, tenant: str, arrived_ns: int, body: bytes
    ) -> Taken | None:
        began = self._clock.monotonic()
        try:
            decoded = await self._decoding.decode(signal, encoding, tenant, arrived_ns, body)
        except Lost as lost:
            self._warn("lost", "an export was not decoded", reason=str(lost))
            raise LedgerUnavailable("the export was not decoded") from None
        except Undecodable:
            digest = hashlib.sha256(body).hexdigest()[:16]
            self._warn("undecodable", "undecodable body", bytes=len(body), sha256=digest)
            return None
        self._metrics.observe(DECODE_SECONDS, self._clock.monotonic() - began)
        kept, late = split_late(decoded.records, arrived_ns, self._accept_days_max)
        taken = Taken(
            kept, [refused._replace(tenant=tenant) for refused in (*decoded.rejected, *starmap(with_record, late))]
        )
        self._metrics.count(DECODED, "kept", by=len(taken.records))
        self._metrics.count(DECODED, "rejected", by=len(taken.rejected))
        for refused in taken.rejected:
            self._metrics.count(REJECTED, refused.reason)
        return taken

    def _settled(self, signal: Signal, outcome: Settled | LedgerUnavailable, rejected: Sequence[Rejected]) -> Answer:
        if isinstance(outcome, LedgerUnavailable):
            return self._answers.retry(Outcome.UNAVAILABLE, str(outcome) or "the ledger is unavailable")
        refused = [*rejected, *outcome.refused]
        return accept(len(refused), render_reasons(refused, _NOUNS[signal]))

    def _full(self, full: Full) -> Answer:
        self._metrics.count(REFUSED, full.reason)
        if full.reason == "draining":
            return self._answers.retry(Outcome.UNAVAILABLE, "the collector is stopping")
        return self._answers.retry(Outcome.FULL, f"no room now ({full.reason})")

    def _warn(self, kind: str, message: str, **facts: object) -> None:
        held_back = self._sparse.held_back(kind)
        if held_back is not None:
            logger.warning(message, extra={**facts, "held_back": held_back})


def render_reasons(rejected: Sequence[Rejected], noun: str) -> str:
    """``3 spans refused: bad_usage 2, invalid_id 1``; '' for none."""
    if not rejected:
        return ""
    counts = Counter(refused.reason for refused in rejected).most_common(REASONS_SHOWN_MAX)
    plural = "" if len(rejected) == 1 else "s"
    return f"{len(rejected)} {noun}{plural} refused: " + ", ".join(f"{reason} {count}" for reason, count in counts)
