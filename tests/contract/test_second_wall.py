"""Behind the filters of the queries stands a wall in the database: without the first, the second holds alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

import psycopg
import pytest
from access_world import (
    OTHER,
    OWN,
    SOMEBODY,
    app_over,
    client,
    endpoints,
    fill,
    guarded,
    headers,
    make_tokens,
    path_of,
    query_of,
    timeless,
)
from starlette.applications import Starlette

from finops.access import Scope
from ledger.pool import Pool
from ledger.reading import reaching
from ledger.tenants import speaking_for
from ledger.tokens import TokenStore
from query_api.application import application
from query_api.auth import Gate

EVERY_ORG = SOMEBODY[2]
"""A token that the first wall lets see everything."""


@pytest.fixture
async def app(ledger_pool: Pool, api_pool: Pool) -> Starlette:
    await fill(ledger_pool)
    await make_tokens(ledger_pool)
    return app_over(api_pool)


def with_wall(app: Starlette, pool: Pool, wall: Callable[[str | None], AbstractContextManager[None]]) -> Starlette:
    """The same endpoints, with another wall around each request."""
    return application(endpoints(app), Gate(TokenStore(pool), lambda: 0.0), lambda: datetime.now(UTC), wall)


async def reads(app: Starlette, of: str) -> dict[str, str]:
    """What every reading route answers to a token that no filter binds, asked for an organisation's own ids."""
    told = {}
    async with client(app) as api:
        for endpoint in guarded(app):
            if endpoint.method == "GET":
                assert isinstance(endpoint.scope, Scope)
                path = path_of(endpoint, of)
                answer = await api.get(path, headers=headers(EVERY_ORG, endpoint.scope))
                assert answer.status_code in (200, 404), (path, answer.text)
                told[path] = answer.text.replace(path, "")
    return told


async def test_without_any_filter_every_route_still_tells_only_of_the_organisation_spoken_for(
    app: Starlette, api_pool: Pool
) -> None:
    walled = with_wall(app, api_pool, lambda org_id: speaking_for(OWN))
    own = await reads(walled, OWN)
    other = await reads(walled, OTHER)
    assert [path for path, text in (own | other).items() if OTHER in text] == []
    assert sum(OWN in text for text in own.values()) >= 10, "the wall hides what should be seen"


async def test_through_the_wall_an_organisation_sees_all_that_a_filter_by_it_finds(
    app: Starlette, api_pool: Pool
) -> None:
    walled = with_wall(app, api_pool, lambda org_id: speaking_for(OWN))
    async with client(app) as filtering, client(walled) as behind:
        for endpoint in guarded(app):
            if endpoint.method != "GET" or not query_of(endpoint, OWN):
                continue
            assert isinstance(endpoint.scope, Scope)
            token, path = headers(EVERY_ORG, endpoint.scope), path_of(endpoint, OWN)
            filtered = await filtering.get(path, params=query_of(endpoint, OWN), headers=token)
            seen = await behind.get(path, params=query_of(endpoint, OWN), headers=token)
            assert (seen.status_code, timeless(seen)) == (filtered.status_code, timeless(filtered)), path


async def test_who_forgets_to_say_for_whom_a_request_is_sees_nothing(app: Starlette, api_pool: Pool) -> None:
    told = await reads(with_wall(app, api_pool, lambda org_id: nullcontext()), OWN)
    made_of_memory = "/api/v1/finops/valuation-rates"
    seen = [path for path, text in told.items() if OWN in text or OTHER in text]
    assert seen in ([], [made_of_memory])


@pytest.mark.parametrize(
    "statement",
    [
        f"insert into baselines values ('{OTHER}', 'a', 1, now(), 'x')",
        f"update session_slots set org_id = '{OTHER}'",
        f"update spans set org_id = '{OTHER}'",
        f"insert into session_slots values ('{OTHER}', 's', 'a', now(), 1, 1, 0, now(), now())",
    ],
)
async def test_nothing_can_be_written_into_another_organisation(app: Starlette, api_pool: Pool, statement: str) -> None:
    with speaking_for(OWN), pytest.raises(psycopg.Error, match=r"row-level security|check option"):
        async with reaching(api_pool) as connection:
            await connection.execute(statement)


async def test_what_holds_for_all_can_be_read_by_one_and_not_changed(app: Starlette, api_pool: Pool) -> None:
    with speaking_for(None):
        async with reaching(api_pool) as connection:
            await connection.execute("insert into baselines values ('', 'everybodys', 1, now(), 'x')")
            await connection.execute("insert into deployments values ('', 'everybodys', 'm', now(), 'x')")
    with speaking_for(OWN):
        async with reaching(api_pool) as connection:
            for table in ("baselines", "deployments"):
                found = await (await connection.execute(f"select count(*) from {table}")).fetchone()
                assert found is not None
                assert int(str(found[0])) >= 1
                assert (await connection.execute(f"delete from {table} where updated_by = 'x'")).rowcount == 0


async def test_an_organisation_may_have_any_name(app: Starlette, api_pool: Pool, ledger_pool: Pool) -> None:
    names = ("all", "none", "of:all", "", "*")
    async with ledger_pool.connection() as connection:
        for name in names[:3]:
            await connection.execute("insert into baselines values (%s, 'a', 1, now(), 'x')", [name])
    for name in names:
        with speaking_for(name):
            async with reaching(api_pool) as connection:
                rows = await (await connection.execute("select distinct org_id from entries")).fetchall()
                assert rows == [], name
                rows = await (await connection.execute("select org_id from baselines")).fetchall()
                assert {row[0] for row in rows} <= {name, ""}, name
