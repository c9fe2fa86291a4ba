"""``agent-finops verify`` on every engine: damage to rates, heads of sessions, alerts and owners is found."""

import time
from uuid import UUID

import pytest
from verify_world import call, do, failing, written

from finops.spans import Dimensions
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore

UNGUARDED = "alter table rates disable trigger rates_are_kept; "
DAMAGES = {
    "a session's end": ("update session_heads set last_at = last_at + interval '1 second'", "sessionHeads"),
    "a session's start": ("update session_heads set first_at = first_at - interval '1 second'", "sessionHeads"),
    "a rate in force": (
        UNGUARDED + "update rates set input_femto = input_femto + 1 where version = 2",
        "rates",
    ),
    "a rate of calls": (
        UNGUARDED + "update rates set input_femto = input_femto + 10^9 where version = 2",
        "prices",
    ),
    "a version": (UNGUARDED + "delete from rates where version = 1", "rates"),
    "the end of a rate": (UNGUARDED + "delete from rates where ended", "rates"),
    "a rate nobody stated": (
        "insert into rates select (jsonb_populate_record(r, '{\"version\": 6}')).* from rates r where version = 2",
        "rates",
    ),
    "the last word": ("update rate_epoch set epoch = epoch + 1", "rates"),
    "a version named": ("update entries set rate_version = 1 where rate_version = 2", "prices"),
    "a price and its lines": (
        "update entries set cost_pico = input_tokens + output_tokens, detail = detail || jsonb_build_object('rates', "
        "jsonb_build_object('input', 1000, 'cached', 1000, 'output', 1000)) where calls = 1 and cost_pico > 0",
        "prices",
    ),
    "an organisation": ("update entries set org_id = 'rival' where tenant = 'acme'", "tenants"),
    "whose span it is": ("update spans set org_id = 'rival' where tenant = 'acme'", "tenants"),
    "two open anomalies": (
        "drop index anomalies_open; update anomalies set closed_at = null where closed_at is not null",
        "toldOnce",
    ),
    "an anomaly closed before the one before it": (
        "update anomalies set closed_at = '2026-09-21T14:30Z' where closed_at is null",
        "toldOnce",
    ),
    "a threshold never reached": ("update budget_firings set spent_pico = 499999", "toldOnce"),
    "a threshold told twice": (
        "insert into budget_firings select (jsonb_populate_record(f, '{\"limit_pico\": 900000}')).* "
        "from budget_firings f",
        "toldOnce",
    ),
}


@pytest.fixture
async def kept(ledger_pool: Pool) -> Pool:
    """A ledger with some of everything."""
    return await written(ledger_pool)


async def test_a_sound_ledger_holds(kept: Pool) -> None:
    assert await failing(kept) == set()


@pytest.mark.parametrize(("damage", "seen_by"), DAMAGES.values(), ids=DAMAGES)
async def test_damage_is_seen(kept: Pool, damage: str, seen_by: str) -> None:
    await do(kept, damage)
    assert seen_by in await failing(kept)


async def test_a_session_of_the_last_hour_without_a_head_or_above_its_bound_is_seen(kept: Pool) -> None:
    start = time.time_ns()
    recent = call(700, 1)._replace(start_ns=start, end_ns=start + 10**8, own=Dimensions(session="now"))
    await Ledger(kept, RateStore(), writer=UUID(int=9), limits=Limits()).append([recent], [], start)
    assert await failing(kept) == set()
    await do(kept, "update session_heads set spend_bound_pico = spend_bound_pico - 1 where session_id = 'now'")
    assert await failing(kept) == {"sessionHeads"}
    await do(kept, "delete from session_heads where session_id = 'now'")
    assert await failing(kept) == {"sessionHeads"}


async def test_an_alert_that_fires_twice_at_once_is_seen(kept: Pool) -> None:
    await do(
        kept,
        "drop index alerts_firing; insert into alerts (key, org_id, agent_id, kind, severity, title, summary, labels, "
        "annotations, figures, fired_at, updated_at) select 'k', '', '', 'test', 'info', '', '', '{}', '{}', '{}', "
        "now(), now() "
        "from generate_series(1, 2)",
    )
    assert await failing(kept) == {"toldOnce"}
