"""The audit trail: written with the change or not at all, chained, and impossible to change unseen."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from repricing_world import NOW, put, rows, statement

from finops.access import Scope, token_digest
from ledger.audit import AuditTrail, first_broken_link
from ledger.baselines import BaselineStore
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.tokens import RevokedToken, register, revoke

WRITERS = 12


async def filled(pool: Pool) -> None:
    store = RateStore()
    for number in range(1, 6):
        await put(pool, store, statement(f"0.00{number}"))


async def broken(pool: Pool) -> int | None:
    async with pool.connection() as connection:
        return await first_broken_link(connection)


async def test_a_change_that_is_rolled_back_leaves_no_row(ledger_pool: Pool) -> None:
    async with ledger_pool.connection() as connection, connection.transaction(force_rollback=True):
        await RateStore().put(connection, statement("0.001"), NOW)
    assert await rows(ledger_pool, "select * from audit") == []
    assert await broken(ledger_pool) is None


async def test_a_change_that_cannot_be_written_down_is_not_made(ledger_pool: Pool) -> None:
    async with ledger_pool.connection() as connection:
        await connection.execute("alter table audit add constraint full_up check (seq < 1)")
    with pytest.raises(psycopg.errors.CheckViolation):
        await put(ledger_pool, RateStore(), statement("0.001"))
    assert await rows(ledger_pool, "select version from rates") == []


async def test_rows_can_be_neither_changed_nor_removed(ledger_pool: Pool) -> None:
    await filled(ledger_pool)
    for tampering in ("update audit set actor = 'nobody'", "delete from audit", "truncate audit"):
        with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
            async with ledger_pool.connection() as connection:
                await connection.execute(tampering)


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("update audit set actor = 'nobody' where seq = 3", 3),
        ("update audit set after = jsonb_set(after, '{inputRatePerKTokens}', '9') where seq = 2", 2),
        ("delete from audit where seq = 4", 5),
        ("delete from audit where seq = 5", 5),
        ("update audit set at = at + interval '1 microsecond' where seq = 1", 1),
    ],
)
async def test_whoever_gets_around_that_breaks_the_chain(ledger_pool: Pool, tampering: str, found: int) -> None:
    await filled(ledger_pool)
    assert await broken(ledger_pool) is None
    async with ledger_pool.connection() as connection:
        await connection.execute("alter table audit disable trigger all")
        await connection.execute(tampering)
    assert await broken(ledger_pool) == found


async def test_many_who_change_things_at_once_make_one_chain(ledger_pool: Pool) -> None:
    baselines, store = BaselineStore(ledger_pool), RateStore()

    async def change(number: int) -> None:
        if number % 2:
            await baselines.put("", f"agent-{number % 3}", Decimal(number), f"writer-{number}")
        else:
            await put(ledger_pool, store, statement(f"0.0{number + 10}", f"model-{number}"))

    await asyncio.gather(*(change(number) for number in range(WRITERS)))
    assert await broken(ledger_pool) is None
    trail = await AuditTrail(ledger_pool).page(limit=100, before=None, orgs=None, actions=None)
    assert [row.seq for row in trail] == list(range(WRITERS, 0, -1))
    assert all(later.prev_hash == earlier.hash for later, earlier in pairwise(trail))
    by_agent: dict[str, str | None] = {}
    for row in reversed([row for row in trail if row.action == "baseline.put"]):
        assert row.before == by_agent.get(row.subject)
        by_agent[row.subject] = row.after


async def test_money_in_the_trail_has_all_its_digits(ledger_pool: Pool) -> None:
    await put(ledger_pool, RateStore(), statement("0.000000000001"))
    (row,) = await AuditTrail(ledger_pool).page(limit=1, before=None, orgs=None, actions=None)
    assert row.after is not None
    assert '"inputRatePerKTokens": 0.000000000001' in row.after


async def told(pool: Pool) -> list[tuple[str, str, str, str | None, str | None]]:
    """The trail, the oldest first: action, subject, organisation, before, after."""
    trail = await AuditTrail(pool).page(limit=100, before=None, orgs=None, actions=None)
    return [(row.action, row.subject, row.org_id, row.before, row.after) for row in reversed(trail)]


def token_of(name: str, scopes: str, org: str = "null", expires: str = "null") -> str:
    """A token as the trail has it."""
    return f'{{"name": "{name}", "orgId": {org}, "scopes": [{scopes}], "expiresAt": {expires}}}'


async def test_what_becomes_of_tokens_is_told_without_them(ledger_pool: Pool) -> None:
    made: Any = {"secret": "finops_first", "scopes": [Scope.READ, Scope.INGEST], "org_id": "acme"}
    async with ledger_pool.connection() as connection:
        await register(connection, name="clerk", **made)
        await register(connection, name="clerk", **made)  # the same again is no change
        await register(connection, name="renamed", **(made | {"expires_at": NOW}))
        await register(connection, name="renamed", secret="finops_second", scopes=[Scope.ADMIN], by="ada")
        assert await revoke(connection, "renamed")
        assert not await revoke(connection, "renamed")
        with pytest.raises(RevokedToken):
            await register(connection, name="again", **made)
    first = token_of("clerk", '"ingest", "read"', '"acme"')
    ending = token_of("renamed", '"ingest", "read"', '"acme"', f'"{NOW.isoformat().replace("+00:00", "Z")}"')
    second = token_of("renamed", '"admin"')
    assert await told(ledger_pool) == [
        ("token.put", "clerk", "acme", None, first),
        ("token.put", "renamed", "acme", first, ending),
        ("token.revoke", "renamed", "acme", ending, None),
        ("token.put", "renamed", "", None, second),
        ("token.revoke", "renamed", "", second, None),
    ]
    (kept,) = await rows(ledger_pool, "select string_agg(a::text, ' ') from audit a")
    assert "finops_" not in kept[0]
    assert token_digest("finops_first").hex() not in kept[0]
    assert await broken(ledger_pool) is None


async def test_a_token_that_cannot_be_written_down_is_neither_made_nor_ended(ledger_pool: Pool) -> None:
    async with ledger_pool.connection() as connection:
        await register(connection, name="clerk", secret="finops_first", scopes=[Scope.READ])
        await connection.execute("alter table audit add constraint full_up check (false) not valid")
    for change in (
        lambda connection: register(connection, name="other", secret="finops_other", scopes=[Scope.READ]),
        lambda connection: register(connection, name="clerk", secret="finops_other", scopes=[Scope.READ]),
        lambda connection: revoke(connection, "clerk"),
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            async with ledger_pool.connection() as connection:
                await change(connection)
    assert await rows(ledger_pool, "select name, revoked_at from tokens") == [("clerk", None)]
