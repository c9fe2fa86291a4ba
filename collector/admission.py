"""Who may come in: bytes, spans, exports and age of everything not yet committed, asked before anything is parsed.

A full house is an answer, not an error: the sender keeps its data and comes back. A tenant may hold at most twice what
it leaves free of bytes, spans and exports, each: one flood leaves a third, and n floods leave one part in 2n + 1, to
those who come after. An export in an empty house need only fit. Of age only a tenant's own exports count.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

HELD_FOR_ONE_FREE = 2
"""A tenant may hold so much for one part that it leaves free."""


class Limits(NamedTuple):
    """The size of the house."""

    bytes: int
    spans: int
    requests: int
    age_ns: int

    @property
    def export_spans(self) -> int:
        """An export of more spans counts for so many: even the largest is let in beside a flood, of whatever size.

        So spans inside may come to four and a half times the limit, where every export holds more than two ninths of
        it; of exports that hold more than all of it there is but one inside.
        """
        return max(1, HELD_FOR_ONE_FREE * self.spans // (HELD_FOR_ONE_FREE + 1) ** 2)


class _Held:
    """What one tenant has inside."""

    __slots__ = ("bytes", "inside", "spans")

    def __init__(self) -> None:
        self.bytes = self.spans = 0
        # Insertion order is age; a plain dict scans its dead head again and again when used as a queue.
        self.inside: OrderedDict[int, Ticket] = OrderedDict()


class Full(NamedTuple):
    """No room now. ``reason`` is a metric label: draining, bytes, spans, requests, age or share."""

    reason: str


class Ticket:
    """One export inside. ``leave`` gives its room back; leaving twice is the same as once."""

    __slots__ = ("_admission", "bytes", "entered_ns", "is_giant", "spans", "tenant")

    def __init__(self, admission: "Admission", tenant: str, size: int, entered_ns: int) -> None:
        self._admission = admission
        self.tenant = tenant
        self.bytes = size
        self.spans = 0
        """As they count."""
        self.is_giant = False
        self.entered_ns = entered_ns

    def hold_spans(self, spans: int) -> Full | None:
        """The export has been decoded into so many spans; more than were guessed may be too many."""
        return self._admission.hold_spans(self, spans)

    def leave(self) -> None:
        """The export is committed or given up."""
        self._admission.release(self)


class Admission:
    """Counts what is inside. Clock: monotonic nanoseconds."""

    def __init__(self, limits: Limits, monotonic_ns: Callable[[], int]) -> None:
        self.limits = limits
        self.bytes = 0
        self.spans = 0
        """As they count: ``Limits.export_spans`` at most for each export."""
        self._giants = 0
        self._monotonic_ns = monotonic_ns
        self._draining = False
        self._inside: OrderedDict[int, Ticket] = OrderedDict()
        self._by_tenant: dict[str, _Held] = {}

    @property
    def requests(self) -> int:
        """Exports inside."""
        return len(self._inside)

    @property
    def age_ns(self) -> int:
        """How long the oldest export has been inside; 0 when empty."""
        return self._age_ns(self._inside)

    def close(self) -> None:
        """Nobody else comes in; those inside finish."""
        self._draining = True

    def refusal(self, tenant: str, size: int | None = None, spans: int = 1) -> Full | None:
        """Why an export of ``size`` bytes and about ``spans`` spans could not come in now, or None.

        A size of None is not known yet: it is taken for the mean of what the tenant holds inside, so that who comes
        back again and again with large exports is mostly sent away before they are read.
        """
        if self._draining:
            return Full("draining")
        held = self._by_tenant.get(tenant)
        if size is None:
            size = held.bytes // len(held.inside) if held is not None else 0
        if held is not None and self._age_ns(held.inside) > self.limits.age_ns:
            return Full("age")
        if spans > self.limits.spans and self._giants:
            return Full("spans")
        return self._no_room(held, size, min(spans, self.limits.export_spans), 1)

    def admit(self, tenant: str, size: int, spans: int = 1) -> Ticket | Full:
        """A ticket for an export of ``size`` bytes and about ``spans`` spans, or why not."""
        full = self.refusal(tenant, size, spans)
        if full is not None:
            return full
        ticket = Ticket(self, tenant, size, self._monotonic_ns())
        held = self._by_tenant.setdefault(tenant, _Held())
        self._inside[id(ticket)] = held.inside[id(ticket)] = ticket
        self.bytes += size
        held.bytes += size
        self._hold(ticket, held, spans)
        return ticket

    def hold_spans(self, ticket: Ticket, spans: int) -> Full | None:
        """Used by ``Ticket.hold_spans``; nothing for a ticket that has left. What is refused holds what it held."""
        if id(ticket) not in self._inside:
            return None
        held = self._by_tenant[ticket.tenant]
        if spans > self.limits.spans and self._giants > ticket.is_giant:
            return Full("spans")
        more = min(spans, self.limits.export_spans) - ticket.spans
        full = self._no_room(held, 0, more, 0) if more > 0 and self.requests > 1 else None
        if full is None:
            self._hold(ticket, held, spans)
        return full

    def release(self, ticket: Ticket) -> None:
        """Used by ``Ticket.leave``."""
        if self._inside.pop(id(ticket), None) is None:
            return
        held = self._by_tenant[ticket.tenant]
        self._hold(ticket, held, 0)
        self.bytes -= ticket.bytes
        held.bytes -= ticket.bytes
        del held.inside[id(ticket)]
        if not held.inside:
            del self._by_tenant[ticket.tenant]

    def _hold(self, ticket: Ticket, held: _Held, spans: int) -> None:
        more = min(spans, self.limits.export_spans) - ticket.spans
        self.spans += more
        held.spans += more
        ticket.spans += more
        self._giants += (spans > self.limits.spans) - ticket.is_giant
        ticket.is_giant = spans > self.limits.spans

    def _age_ns(self, inside: OrderedDict[int, Ticket]) -> int:
        return self._monotonic_ns() - next(iter(inside.values())).entered_ns if inside else 0

    def _no_room(self, held: _Held | None, size: int, spans: int, requests: int) -> Full | None:
        """Why so much more of one tenant's is too much."""
        own = (held.bytes, held.spans, len(held.inside)) if held is not None else (0, 0, 0)
        limits, more = self.limits, (size, spans, requests)
        free = (
            limits.bytes - self.bytes - size,
            limits.spans - self.spans - spans,
            limits.requests - self.requests - requests,
        )
        for reason, left in zip(("bytes", "spans", "requests"), free, strict=True):
            if left < 0:
                return Full(reason)
        if not self._inside:
            return None
        over = any(
            added and had + added > HELD_FOR_ONE_FREE * left for had, added, left in zip(own, more, free, strict=True)
        )
        return Full("share") if over else None
