"""The pools of one query API, each with limits of its own, so that nobody waits for another; a part of ``__main__``."""

from typing import NamedTuple

from ledger.leadership import SILENT_SECONDS_MAX
from ledger.pool import EVERYBODY, NOBODY, Pool, patience_of, pool
from query_api.settings import Settings


class Pools(NamedTuple):
    """Closed until each is opened; ``close`` them all."""

    connections: Pool
    """Of what answers."""
    judging: Pool
    exporting: Pool
    deciding: Pool

    async def close(self) -> None:
        """Closes those that are open."""
        for each in self:
            await each.close()


def pools_of(settings: Settings) -> Pools:
    """The pools as the settings want them."""
    answering_ms, exporting_ms = settings.statement_timeout_ms, settings.export_statement_timeout_ms
    return Pools(
        connections=_walled(settings, settings.pool_connections_max, "finops-query-api", answering_ms),
        judging=pool(
            settings.database_url,
            size_max=settings.judge_connections_max,
            name="finops-judge",
            statement_timeout_ms=settings.judge_pass_ms_max,
            patience_seconds=patience_of(settings.judge_pass_ms_max),
            idle_transaction_ms=SILENT_SECONDS_MAX * 1000,
            wall=EVERYBODY,
        ),
        exporting=_walled(settings, settings.exports_max, "finops-exports", exporting_ms),
        deciding=_walled(settings, settings.budget_connections_max, "finops-decisions", answering_ms, asks_first=False),
    )


def _walled(
    settings: Settings, size_max: int, name: str, statement_timeout_ms: int, *, asks_first: bool = True
) -> Pool:
    return pool(
        settings.database_url,
        size_max=size_max,
        name=name,
        statement_timeout_ms=statement_timeout_ms,
        patience_seconds=patience_of(statement_timeout_ms),
        wall=NOBODY,
        asks_first=asks_first,
    )
