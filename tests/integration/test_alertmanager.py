"""Our alerts in a real Alertmanager: straight from the courier, and by way of a real Prometheus."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from alert_processes import query_api
from alert_receiver import Receiver, receiving
from alert_world import ALERT_TABLES, destination, fired, resolved, runaway
from alertmanager_process import alertmanager, needs_alertmanager, needs_prometheus, prometheus, until

from finops.access import Scope
from finops.alerts import Severity
from ledger.alert_outbox import DeliveryRules, Outbox
from ledger.pool import Pool
from ledger.tokens import register
from query_api.alerting.addresses import networks
from query_api.alerting.courier import Channels, Courier
from query_api.alerting.outbound import Outbound

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "helm" / "agent-finops" / "files" / "alert-rules.yaml"
TABLES = (*ALERT_TABLES, "tokens")
RESEND = timedelta(seconds=1)
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
pytestmark = needs_alertmanager


def now() -> datetime:
    return datetime.now(UTC)


def courier_over(pool: Pool) -> Courier:
    channels = Channels(Outbound(networks("127.0.0.0/8"), now), RESEND, False)
    return Courier(Outbox(pool, DeliveryRules(resend=RESEND)), channels, now, lambda: 1.0)


async def active(url: str) -> list[dict[str, str]]:
    """Labels of the alerts that Alertmanager has."""
    async with httpx2.AsyncClient(base_url=url) as client:
        return [alert["labels"] for alert in (await client.get("/api/v2/alerts")).json()]


def told_by(receiver: Receiver, name: str) -> list[tuple[str, str]]:
    """Status and severity of what Alertmanager told of alerts of this name, in order."""
    alerts: list[Any] = [alert for one in receiver.requests for alert in one.json["alerts"]]  # type: ignore[attr-defined]
    return [(one["status"], one["labels"]["severity"]) for one in alerts if one["labels"]["alertname"] == name]


async def test_alertmanager_tells_of_the_beginning_once_and_of_the_end_once(shared_pool: Pool, tmp_path: Path) -> None:
    courier = courier_over(shared_pool)

    async def told_again() -> bool:
        return await courier.turn() == 1

    async with receiving() as receiver, alertmanager(tmp_path, receiver.url) as url:

        async def told(*expected: tuple[str, str]) -> None:
            async def all_of_it() -> bool:
                return sorted(told_by(receiver, "FinopsAnomaly")) == sorted(expected)

            await until(all_of_it, f"Alertmanager to tell {expected}")

        await destination(shared_pool, kind="alertmanager", url=url)
        await fired(shared_pool, runaway(), now())
        assert await courier.turn() == 1
        (labels,) = await active(url)
        assert (labels["alertname"], labels["session_id"], labels["severity"]) == ("FinopsAnomaly", "s1", "warning")
        await told(("firing", WARNING))
        for _ in range(2):
            await until(told_again, "it to be told again while it fires")
        await fired(shared_pool, runaway(severity=CRITICAL), now())
        await until(told_again, "the worse severity to be told")
        assert [labels["severity"] for labels in await active(url)] == ["critical"]
        await resolved(shared_pool, runaway().key, now())
        await until(told_again, "the end to be told")
        await told(("firing", WARNING), ("firing", CRITICAL), ("resolved", WARNING), ("resolved", CRITICAL))
        assert await active(url) == []


@needs_prometheus
async def test_prometheus_delivers_our_rules_about_what_our_api_really_tells(
    shared_pool: Pool, module_database_url: str, tmp_path: Path
) -> None:
    async with shared_pool.connection() as connection:
        await register(connection, name="scraper", secret="scraper-token", scopes=[Scope.METRICS])
    await fired(shared_pool, runaway(severity=CRITICAL), now())
    async with (
        query_api(module_database_url, tmp_path) as api,
        receiving() as receiver,
        alertmanager(tmp_path, receiver.url) as url,
        prometheus(tmp_path, RULES, url, api.url, "scraper-token"),
    ):

        async def began() -> bool:
            return told_by(receiver, "FinopsAgentRunaway") == [("firing", CRITICAL)]

        async def ended() -> bool:
            return told_by(receiver, "FinopsAgentRunaway") == [("firing", CRITICAL), ("resolved", CRITICAL)]

        await until(began, "the rule to fire")
        await resolved(shared_pool, runaway().key, now())
        await until(ended, "the rule to fire no more")
