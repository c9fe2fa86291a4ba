"""A ledger for the storage benchmark: calls made by the server from a seed, priced by the real price book."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from finops.price_book import PriceBook
from finops.pricing import CallFacts, Priced, price
from finops.usage import TokenUsage
from ledger.catalogue import bundled_catalogue
from ledger.engine import Engine
from ledger.pool import Connection
from ledger.refresh import SETTLE, refresh
from ledger.sums import GROUP_COLUMNS, SUM_COLUMNS

MODELS = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o"),
    ("openai", "gpt-4.1"),
    ("openai", "gpt-4.1-mini"),
    ("openai", "o4-mini"),
    ("openai", "gpt-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-opus-4-1"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("mistral_ai", "mistral-large-latest"),
)
CALLS_SQL = (Path(__file__).parent / "storage_calls.sql").read_text("utf-8")
_ASKED_NS = 1_795_176_000 * 10**9


class World(NamedTuple):
    """What is generated; ``days`` whole UTC days that end with the day of ``now``."""

    calls: int
    days: int
    seed: int
    now: datetime
    agents: int = 200
    orgs: int = 20

    def day_starts(self) -> Iterator[datetime]:
        """The days, ascending."""
        today = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return (today - timedelta(days=ago) for ago in reversed(range(self.days)))


def priced_models() -> list[dict[str, object]]:
    """The models with their rates, as storage_calls.sql wants them."""
    book = PriceBook(bundled_catalogue())
    return [{"number": at, **_priced_model(book, *model)} for at, model in enumerate(MODELS)]


def _priced_model(book: PriceBook, provider: str, model_id: str) -> dict[str, object]:
    usage = TokenUsage(1000, 200, 300)
    priced = price(CallFacts("", provider, model_id, None, "chat", usage, _ASKED_NS), book)
    assert isinstance(priced, Priced)
    rates = {line.kind: line.rate_femto for line in priced.lines}
    assert not any(rate % 1000 for rate in rates.values()), "amounts are whole pico-USD"
    said = {"requestModel": model_id, "statedProvider": provider}
    rule = {"source": priced.source, "matchRule": priced.match_rule, "tier": priced.tier}
    return {
        "provider": priced.provider,
        "model_id": priced.model_id,
        "rate_version": priced.rate_version,
        "caching": priced.prompt_savings_pico > 0,
        "input_femto": rates["input"],
        "cached_femto": rates["cached"],
        "output_femto": rates["output"],
        "terms": {**said, **rule, "rates": rates},
    }


async def add_day(connection: Connection, world: World, day: datetime) -> int:
    """Writes one day's entries, those until ``world.now``, and returns how many."""
    values = {
        "models": msgspec.json.encode(priced_models()).decode(),
        "seed": world.seed,
        "day": day,
        "until": world.now,
        "calls": world.calls // world.days,
        "agents": world.agents,
        "orgs": world.orgs,
    }
    return (await connection.execute(CALLS_SQL, values)).rowcount


async def add_sums(connection: Connection, day: datetime) -> None:
    """What the append does where it keeps the sums itself, for a whole day at once."""
    groups, summed = ", ".join(GROUP_COLUMNS), ", ".join(f"sum({name})" for name in SUM_COLUMNS)
    for table, width in (("usage_15m", "15 minutes"), ("usage_1d", "1 day")):
        bucket = f"date_bin('{width}', event_time, timestamptz '2000-01-01 00:00:00+00')"
        rows = f"select {bucket}, {groups}, {summed} from entries where event_time >= %s and event_time < %s"  # noqa: S608
        await connection.execute(f"insert into {table} {rows} group by 1, {groups}", [day, day + timedelta(days=1)])


async def settle(connection: Connection, engine: Engine, world: World, through: datetime) -> None:
    """Materialises and packs what time would have materialised and packed by the end of the day before ``through``."""
    if engine.keeps_rollups:
        await connection.execute("analyze entries, usage_15m, usage_1d")
        return
    await refresh(connection, min(through + SETTLE, world.now))
    for relation, days in (("entries", 7), ("usage_15m", 60)):
        older = min(through, world.now) - timedelta(days=days)
        chunks = "select show_chunks(%s::regclass, older_than => %s::timestamptz)::text"
        for (chunk,) in await (await connection.execute(chunks, [relation, older])).fetchall():
            await connection.execute("select compress_chunk(%s::regclass, if_not_compressed => true)", [chunk])
    await connection.execute("analyze entries")
