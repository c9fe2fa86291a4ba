"""``python -m query_api``: reads the environment, opens the ledger, listens, and drains on SIGTERM.

The only module of this room that knows the ledger, the clock and the environment. Standard output carries one line,
``ready query_api http://127.0.0.1:8080``; everything else goes to standard error.
"""

import asyncio
import gc
import logging
import os
import random
import signal
import ssl
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from uuid import uuid4

from starlette.applications import Starlette

from doors.certificates import CertificateFiles, Certificates
from finops.access import Scope
from ledger.audit import AuditTrail
from ledger.catalogue import bundled_catalogue
from ledger.costs import CostReport
from ledger.coverage import CoverageReports
from ledger.engine import Engine
from ledger.exports import Exports
from ledger.fitness import READER, require_bound, require_fit
from ledger.leadership import Seat
from ledger.operator_rates import OperatorRates
from ledger.overview import OverviewReports
from ledger.pool import Connection, Pool, asked_within
from ledger.rates import RateStore
from ledger.reports import Reports
from ledger.reprice import Repricing
from ledger.session_heads import raise_window
from ledger.sessions import SessionReports
from ledger.tenants import speaking_for
from ledger.tokens import TokenStore, any_with
from ledger.unpriced import UnpricedCalls
from query_api.alert_wiring import alert_handlers, courier_of
from query_api.alerting.courier import Courier
from query_api.application import application
from query_api.auth import Gate
from query_api.budget_wiring import budget_handlers, budget_watch
from query_api.burn_wiring import burn_handlers, burn_passes
from query_api.endpoints.audit import AuditEndpoints
from query_api.endpoints.costs import Costs
from query_api.endpoints.deployments import DeploymentEndpoints
from query_api.endpoints.drill_down import DrillDownEndpoints
from query_api.endpoints.exports import ExportEndpoints
from query_api.endpoints.exports import Limits as ExportLimits
from query_api.endpoints.general_costs import GeneralCosts, Limits
from query_api.endpoints.health import Health, Life, Neighbours
from query_api.endpoints.overview import OverviewEndpoint
from query_api.endpoints.prometheus import Prometheus
from query_api.endpoints.repricing import RepriceEndpoints
from query_api.endpoints.valuation_rates import ValuationRates
from query_api.issuer_door import issuer_of
from query_api.judge_report import JudgeReport
from query_api.judging import Clock, JudgePass, Judging, Pace
from query_api.pace import PaceLimits, Paces
from query_api.pool_wiring import Pools, pools_of
from query_api.privacy_wiring import privacy_handlers, privacy_passes
from query_api.probes import http_status
from query_api.rate_routes import RateHandlers
from query_api.routes import Handlers, table
from query_api.server import HttpServer
from query_api.settings import BadSettings, Settings, read_settings
from query_api.unpriced import Sweeper

BAD_SETTINGS, CANNOT_START = 2, 1
_READERS = [scope for scope in Scope if scope is not Scope.INGEST]
_log = logging.getLogger("query_api")


class CannotStart(RuntimeError):
    """The service refuses to start; the message says why and what to do."""


def now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def rate_handlers(connections: Pool, rates: RateStore, sweeper: Sweeper) -> RateHandlers:
    """The endpoints about rates; each change is followed by a look at the calls that wait for a price."""
    operator, unpriced = OperatorRates(connections, rates), UnpricedCalls(connections, rates)
    return RateHandlers(
        rates=ValuationRates(operator, unpriced, sweeper.want),
        deployments=DeploymentEndpoints(operator, unpriced, sweeper.want),
        repricing=RepriceEndpoints(Repricing(connections, rates), uuid4),
        audit=AuditEndpoints(AuditTrail(connections)),
    )


def judge_passes(settings: Settings, connections: Pool) -> list[JudgePass]:
    """What the leader does in every round, in this order."""
    return [
        *burn_passes(settings, connections),
        budget_watch(settings, connections),
        *privacy_passes(settings, connections, Clock(now, time.monotonic)),
    ]


def judging_of(settings: Settings, connections: Pool) -> Judging:
    """The judge of this process, over connections of its own."""
    pace = Pace(settings.judge_ms / 1000, settings.judge_pass_ms_max / 1000)
    passes = judge_passes(settings, connections)
    return Judging(Seat(settings.database_url), passes, pace, Clock(now, time.monotonic))


def export_endpoints(settings: Settings, connections: Pool, exporting: Pool) -> ExportEndpoints:
    """The exports over a pool of their own; who takes them is written down over the others'."""
    limits = ExportLimits(settings.exports_max, settings.window_days_max, settings.export_stall_seconds)
    return ExportEndpoints(Exports(exporting), AuditTrail(connections), limits)


def build(
    settings: Settings,
    pools: Pools,
    rates: RateStore,
    life: Life,
    started_at: datetime,
    sweeper: Sweeper,
    judge: JudgeReport,
    courier: Courier,
) -> Starlette:
    """The application over open pools."""
    connections = pools.connections
    reports, sessions = Reports(connections, settings.day_zones_max), SessionReports(connections)
    neighbours = Neighbours(settings.collector_url, settings.provider_urls, settings.docker_host)
    exports = export_endpoints(settings, connections, pools.exporting)
    budgets = budget_handlers(settings, connections, pools.deciding, rates)
    privacy = privacy_handlers(settings, connections, now)
    alerts, burn = alert_handlers(connections, courier), burn_handlers(settings, connections)
    issuer = issuer_of(settings.oidc, time.monotonic, now)
    jwts = () if issuer is None else (issuer,)
    limits = PaceLimits(settings.requests_per_second, settings.requests_burst, settings.decisions_per_second)
    paces = Paces(limits, time.monotonic)
    handlers = Handlers(
        costs=Costs(reports, lambda: started_at),
        general=GeneralCosts(
            CostReport(connections, settings.day_zones_max),
            Limits(settings.window_days_max, settings.entries_window_days_max),
        ),
        overview=OverviewEndpoint(OverviewReports(connections, settings.day_zones_max)),
        burn=burn,
        exports=exports,
        drill_down=DrillDownEndpoints(sessions, CoverageReports(connections)),
        rates=rate_handlers(connections, rates, sweeper),
        alerts=alerts,
        budgets=budgets,
        privacy=privacy,
        health=Health(reports, neighbours, life, http_status, time.monotonic, {"judge": judge.component}),
        prometheus=Prometheus(
            reports, judge, burn.gauges, exports, paces, alerts.alerts, budgets.gauges, privacy.gauges, *jwts
        ),
        otlp_grpc=str(settings.otlp_grpc),
    )
    gate = Gate(TokenStore(connections), time.monotonic, paces, issuer)
    return application(table(handlers, _version()), gate, now, speaking_for)


async def run(settings: Settings) -> int:
    """One query API's life; returns the exit status."""
    stop = asyncio.Event()
    for word in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(word, stop.set)
    pools = pools_of(settings)
    try:
        catalogue, _ = await asyncio.gather(asyncio.to_thread(bundled_catalogue), _open(settings, pools.connections))
        await pools.judging.open()
        await raise_window(pools.judging, settings.window_seconds, now())
        await pools.exporting.open()
        await pools.deciding.open()
        await _serve(settings, pools, RateStore(catalogue), stop)
    except Exception as fault:
        _log.critical("cannot start: %s", str(fault).partition("\n")[0])
        return CANNOT_START
    finally:
        await pools.close()
    return 0


async def _open(settings: Settings, connections: Pool) -> None:
    needs_no_token = settings.address.is_loopback or settings.insecure

    async def examined(connection: Connection) -> tuple[Engine, bool]:
        await require_bound(connection, "finops_api", allow_superuser=settings.allow_superuser)
        engine = await require_fit(connection, READER)
        return engine, needs_no_token or await any_with(connection, _READERS)

    engine, may_listen = await asked_within(connections, settings.database_wait_seconds, examined)
    _log.info("the ledger is open: %s", engine)
    if not may_listen:
        raise CannotStart(
            f"FINOPS_API ({settings.address}) listens beyond this machine and no token exists yet: make one with "
            "`agent-finops token create NAME --scope read`, or set FINOPS_INSECURE=1"
        )


async def _serve(settings: Settings, pools: Pools, rates: RateStore, stop: asyncio.Event) -> None:
    life, started_at, connections = Life(), now(), pools.connections
    await Reports(connections).record_start("query_api", started_at)
    sweeper = Sweeper(UnpricedCalls(connections, rates))
    judging = judging_of(settings, pools.judging)
    judge, courier = JudgeReport(judging), courier_of(settings, connections, now, random.random)
    app = build(settings, pools, rates, life, started_at, sweeper, judge, courier)
    tls = tls_of(settings)
    server = HttpServer(app, settings.address, settings.connections_max, tls)
    address = await server.start()
    behind = [_behind("unpriced calls are no longer looked for", sweeper.run())]
    behind.append(_behind("nothing is judged any more by this process", judging.run()))
    behind.append(_behind("no alert is delivered any more by this process", courier.run()))
    gc.collect()
    gc.freeze()  # the catalogue and the table are never looked through again
    try:
        print(f"ready query_api {'https' if tls else 'http'}://{address}", flush=True)
        await stop.wait()
    finally:
        life.draining = True
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)
        await server.stop(settings.drain_seconds)


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """What the API shows; None: it is plain."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    files = CertificateFiles(settings.tls_certificate, settings.tls_key)
    return Certificates(files, time.monotonic).tls_context()


def _behind(loss: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Work behind the answers, for every organisation; should it end by a fault, ``loss`` is what that means."""

    def tell(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            _log.error("%s: %s", loss, type(fault).__name__, exc_info=fault)

    with speaking_for(None):
        task = asyncio.create_task(work)
    task.add_done_callback(tell)
    return task


def _version() -> str:
    try:
        return version("agent-finops")
    except PackageNotFoundError:
        return "0"


def main() -> int:
    """Reads the settings and runs; 2 where they cannot be used, 1 where the service cannot start."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = read_settings(os.environ)
    except BadSettings as bad:
        for fault in bad.faults:
            _log.critical("%s", fault)
        return BAD_SETTINGS
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(run(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is a wheel for it."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main())
