"""Exports that wait for their group: in the order of their arrival within a tenant, and tenants take turns.

So whoever sends little waits for the group that is being written and for a share of the next, however much somebody
else has sent before.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from finops.spans import Rejected, SpanRecord


class Waiting(Protocol):
    """One decoded export."""

    @property
    def batch(self) -> Sequence[SpanRecord]:
        """The spans that are believed."""
        ...

    @property
    def rejected(self) -> Sequence[Rejected]:
        """Those that are not."""
        ...

    @property
    def spans(self) -> int:
        """All of them."""
        ...


E = TypeVar("E", bound=Waiting)


class FairQueue(Generic[E]):
    """Unbounded: who may come in is decided before."""

    def __init__(self) -> None:
        self._by_tenant: OrderedDict[str, deque[E]] = OrderedDict()
        self._exports = 0
        self.spans = 0
        """That wait."""

    def __len__(self) -> int:
        return self._exports

    def append(self, export: E) -> None:
        """Behind the others of its tenant."""
        self._by_tenant.setdefault(_tenant_of(export), deque()).append(export)
        self._exports += 1
        self.spans += export.spans

    def group(self, spans_max: int) -> list[E]:
        """The next exports to be written together, of no more than ``spans_max`` spans or a single one."""
        group: list[E] = []
        spans = 0
        while self._by_tenant:
            tenant, queue = next(iter(self._by_tenant.items()))
            if group and spans + queue[0].spans > spans_max:
                break
            group.append(queue.popleft())
            spans += group[-1].spans
            del self._by_tenant[tenant]
            if queue:
                self._by_tenant[tenant] = queue
        self._exports -= len(group)
        self.spans -= spans
        return group


def _tenant_of(export: Waiting) -> str:
    if export.batch:
        return export.batch[0].tenant
    return export.rejected[0].tenant if export.rejected else ""
