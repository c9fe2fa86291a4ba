"""Who may come in: bytes, spans, exports and age of everything not yet committed, asked before anything is parsed.

A full house is an answer, not an error: the sender keeps its data and comes back. The last quarter is kept for tenants
that hold less than an equal share would be with one tenant more, so that one flood does not shut the door for others.
Whoever has nothing inside is over no share.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

SPAN_BYTES_GUESSED = 1024
"""An export is taken for one span for so many bytes, or part of them, until it is decoded."""


class Limits(NamedTuple):
    """The size of the house."""

    bytes: int
    spans: int
    requests: int
    age_ns: int


class _Held:
    """What one tenant has inside."""

    __slots__ = ("bytes", "requests", "spans")

    def __init__(self) -> None:
        self.bytes = self.spans = self.requests = 0


class Full(NamedTuple):
    """No room now. ``reason`` is a metric label: draining, bytes, spans, requests, age or share."""

    reason: str


class Ticket:
    """One export inside. ``leave`` gives its room back; leaving twice is the same as once."""

    __slots__ = ("_admission", "bytes", "entered_ns", "spans", "tenant")

    def __init__(self, admission: "Admission", tenant: str, size: int, entered_ns: int) -> None:
        self._admission = admission
        self.tenant = tenant
        self.bytes = size
        self.spans = 0
        self.entered_ns = entered_ns

    def hold_spans(self, spans: int) -> None:
        """The export has been decoded into so many spans."""
        self._admission.hold_spans(self, spans)

    def leave(self) -> None:
        """The export is committed or given up."""
        self._admission.release(self)


class Admission:
    """Counts what is inside. Clock: monotonic nanoseconds."""

    def __init__(self, limits: Limits, monotonic_ns: Callable[[], int]) -> None:
        self.limits = limits
        self.bytes = 0
        self.spans = 0
        self._monotonic_ns = monotonic_ns
        self._draining = False
        # Insertion order is age; a plain dict scans its dead head again and again when used as a queue.
        self._inside: OrderedDict[int, Ticket] = OrderedDict()
        self._by_tenant: dict[str, _Held] = {}

    @property
    def requests(self) -> int:
        """Exports inside."""
        return len(self._inside)

    @property
    def age_ns(self) -> int:
        """How long the oldest export has been inside; 0 when empty."""
        if not self._inside:
            return 0
        return self._monotonic_ns() - next(iter(self._inside.values())).entered_ns

    def close(self) -> None:
        """Nobody else comes in; those inside finish."""
        self._draining = True

    def refusal(self, tenant: str, size: int = 0) -> Full | None:
        """Why an export of ``size`` bytes could not come in now, or None."""
        if self._draining:
            return Full("draining")
        if self.requests >= self.limits.requests:
            return Full("requests")
        if self.bytes + size > self.limits.bytes:
            return Full("bytes")
        if self.spans >= self.limits.spans:
            return Full("spans")
        if self.age_ns > self.limits.age_ns:
            return Full("age")
        return Full("share") if self._over_share(tenant, size) else None

    def admit(self, tenant: str, size: int) -> Ticket | Full:
        """A ticket for an export of ``size`` bytes, or why not."""
        full = self.refusal(tenant, size)
        if full is not None:
            return full
        ticket = Ticket(self, tenant, size, self._monotonic_ns())
        self._inside[id(ticket)] = ticket
        self.bytes += size
        held = self._by_tenant.setdefault(tenant, _Held())
        held.bytes += size
        held.requests += 1
        self.hold_spans(ticket, -(-size // SPAN_BYTES_GUESSED))
        return ticket

    def hold_spans(self, ticket: Ticket, spans: int) -> None:
        """Used by ``Ticket.hold_spans``; nothing for a ticket that has left."""
        if id(ticket) in self._inside:
            more = spans - ticket.spans
            self.spans += more
            self._by_tenant[ticket.tenant].spans += more
            ticket.spans = spans

    def release(self, ticket: Ticket) -> None:
        """Used by ``Ticket.leave``."""
        if self._inside.pop(id(ticket), None) is None:
            return
        self.bytes -= ticket.bytes
        self.spans -= ticket.spans
        held = self._by_tenant[ticket.tenant]
        held.bytes -= ticket.bytes
        held.spans -= ticket.spans
        held.requests -= 1
        if not held.requests:
            del self._by_tenant[ticket.tenant]

    def _over_share(self, tenant: str, size: int) -> bool:
        held, limits = self._by_tenant.get(tenant), self.limits
        if held is None:
            return False
        spans = -(-size // SPAN_BYTES_GUESSED)
        return any(
            4 * (whole + more) > 3 * limit and (own + more) * (len(self._by_tenant) + 1) > limit
            for whole, own, more, limit in (
                (self.bytes, held.bytes, size, limits.bytes),
                (self.spans, held.spans, spans, limits.spans),
                (self.requests, held.requests, 1, limits.requests),
            )
        )
