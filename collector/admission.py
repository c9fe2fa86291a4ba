"""Who may come in: bytes, spans, exports and age of everything not yet committed, asked before anything is parsed.

A full house is an answer, not an error: the sender keeps its data and comes back. Beyond half full no tenant may hold
more than an equal share, so that one flood does not shut the door for the others.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import NamedTuple


class Limits(NamedTuple):
    """The size of the house."""

    bytes: int
    spans: int
    requests: int
    age_ns: int


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
        self._bytes_by_tenant: Counter[str] = Counter()

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
        self._bytes_by_tenant[tenant] += size
        return ticket

    def hold_spans(self, ticket: Ticket, spans: int) -> None:
        """Used by ``Ticket.hold_spans``; nothing for a ticket that has left."""
        if id(ticket) in self._inside:
            self.spans += spans - ticket.spans
            ticket.spans = spans

    def release(self, ticket: Ticket) -> None:
        """Used by ``Ticket.leave``."""
        if self._inside.pop(id(ticket), None) is None:
            return
        self.bytes -= ticket.bytes
        self.spans -= ticket.spans
        self._bytes_by_tenant[ticket.tenant] -= ticket.bytes
        if self._bytes_by_tenant[ticket.tenant] <= 0:
            del self._bytes_by_tenant[ticket.tenant]

    def _over_share(self, tenant: str, size: int) -> bool:
        if 2 * (self.bytes + size) <= self.limits.bytes:
            return False
        tenants = len(self._bytes_by_tenant.keys() | {tenant})
        return (self._bytes_by_tenant[tenant] + size) * tenants > self.limits.bytes
