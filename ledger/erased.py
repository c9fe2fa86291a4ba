"""What collectors replace in spans that arrive, and what is half replaced in the ledger."""

from collections.abc import Sequence
from typing import Any

from finops.erasure import Erased, ErasedIdentifiers, Kind, Renaming, Replaced
from ledger.mapping import ns_of
from ledger.pool import Connection
from sql import query


async def erased_identifiers(connection: Connection) -> ErasedIdentifiers:
    """What collectors replace as of now; whoever holds a head of tenants sees every erasure that was begun before."""
    rows: list[Any] = await (await connection.execute(query("erasure_epoch"))).fetchall()
    epoch, key = rows[0][:2]
    return ErasedIdentifiers(int(epoch), bytes(key), [_erased(row[2:]) for row in rows if row[4] is not None])


async def being_erased(connection: Connection) -> Renaming:
    """What is half replaced, as the open transaction sees it."""
    rows: list[Any] = await (await connection.execute(query("erasures_half_done"))).fetchall()
    return Renaming(Replaced(org_id, Kind(kind), was, becomes) for org_id, kind, was, becomes in rows)


def _erased(columns: Sequence[Any]) -> Erased:
    org_id, kind, digest, pseudonym, finished_at = columns
    until_ns = None if finished_at is None else ns_of(finished_at)
    return Erased(str(org_id), Kind(kind), bytes(digest), str(pseudonym), until_ns)
