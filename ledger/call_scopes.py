"""The scopes that have reported calls, as a small table kept in the append's transaction."""

from collections.abc import Iterable

from finops.call_scopes import CallScopes
from finops.spans import SpanClass, SpanRecord
from ledger.pool import Connection
from sql import query

FreshScopes = dict[tuple[str, str], bool]
"""By tenant and scope, whether one of its calls had no answer id."""


async def learn(connection: Connection, scopes: CallScopes, batch: Iterable[SpanRecord]) -> FreshScopes:
    """Loads the tenants not known, takes in the scopes of a batch, and says which are new, to be written down."""
    calls = [record for record in batch if record.span_class is SpanClass.CALL]
    await _load(connection, scopes, {record.tenant for record in calls}.difference(scopes.tenants()))
    return scopes.learn(calls)


async def add(connection: Connection, fresh: FreshScopes) -> None:
    """Writes down what was new."""
    parameters = {
        "tenants": [tenant for tenant, _ in fresh],
        "scopes": [scope for _, scope in fresh],
        "without_id": list(fresh.values()),
    }
    await connection.execute(query("add_call_scopes"), parameters)


async def _load(connection: Connection, scopes: CallScopes, tenants: set[str]) -> None:
    if not tenants:
        return
    stored: dict[str, list[tuple[str, bool]]] = {tenant: [] for tenant in tenants}
    async for tenant, scope, without_id in await connection.execute(query("call_scopes"), {"tenants": sorted(tenants)}):
        stored[str(tenant)].append((str(scope), bool(without_id)))
    for name, found in stored.items():
        scopes.restore(name, found)
