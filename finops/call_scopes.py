"""Which instrumentations have reported calls for a tenant: with only one, no call can have a copy by its numbers.

Two records are one call by their numbers only if their scopes differ and at least one has no answer id. Knowing the
scopes spares most calls the search.
"""

from collections.abc import Iterable

from finops.copies import has_id as carries_id
from finops.spans import SpanClass, SpanRecord

SCOPES_MAX = 1000
"""Of one tenant; beyond it every search is made."""


class CallScopes:
    """By tenant: scope to whether one of its calls had no answer id."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, bool]] = {}

    def tenants(self) -> list[str]:
        """Those known."""
        return list(self._known)

    def forget(self, tenant: str) -> None:
        """Someone else may have appended for this tenant."""
        self._known.pop(tenant, None)

    def restore(self, tenant: str, scopes: Iterable[tuple[str, bool]]) -> None:
        """Takes in what is stored: (scope, whether one of its calls had no id)."""
        self._known[tenant] = dict(scopes)

    def learn(self, records: Iterable[SpanRecord]) -> dict[tuple[str, str], bool]:
        """Takes in the scopes of calls; returns what was not known, by (tenant, scope)."""
        fresh: dict[tuple[str, str], bool] = {}
        for record in records:
            if record.span_class is SpanClass.CALL:
                known = self._known.setdefault(record.tenant, {})
                before = known.get(record.scope)
                if before is None or not (before or carries_id(record)):
                    known[record.scope] = fresh[record.tenant, record.scope] = not carries_id(record)
        return fresh

    def has_twins(self, tenant: str, scope: str, *, has_id: bool) -> bool:
        """Whether another scope may hold a record with the totals of a call of this one."""
        known = self._known.get(tenant, {})
        if len(known) <= 1:
            return False
        if len(known) > SCOPES_MAX:
            return True
        return any(other != scope and (without_id or not has_id) for other, without_id in known.items())

    def has_shadows(self, tenant: str) -> bool:
        """Whether a record without usage may be the copy of one with usage."""
        return len(self._known.get(tenant, ())) > 1


class EveryScope(CallScopes):
    """Every call may have a copy anywhere: who checks must not look by the shortcuts of who wrote."""

    def has_twins(self, tenant: str, scope: str, *, has_id: bool) -> bool:
        """Always."""
        return True

    def has_shadows(self, tenant: str) -> bool:
        """Always."""
        return True
