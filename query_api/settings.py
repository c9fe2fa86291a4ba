"""Everything the query API can be told from outside: one frozen value read once from a mapping, all faults at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from doors.issuer_settings import IssuerSettings, read_issuer
from doors.settings_values import Address, address, count
from finops.anomaly_rules import CALLS_MIN_DEFAULT
from finops.burn import (
    IDLE_SECONDS_DEFAULT,
    MULTIPLIER_DEFAULT,
    MULTIPLIER_MAX,
    MULTIPLIER_MIN,
    WINDOW_SECONDS_DEFAULT,
)
from query_api.alerting.addresses import Networks, networks
from query_api.settings_values import (
    amount,
    database_url,
    docker_host,
    file,
    provider_urls,
    switch,
    url_or_off,
    window_seconds,
)


class BadSettings(ValueError):
    """One or more settings cannot be used; ``faults`` holds one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The query API's settings; the variables and defaults are in ``VARIABLES``. Units are in the names."""

    database_url: str
    allow_superuser: bool
    address: Address
    otlp_grpc: Address
    insecure: bool
    window_seconds: int
    idle_seconds: int
    anomaly_multiplier: Decimal
    anomaly_floor_usd: Decimal
    anomaly_calls_min: int
    single_call_usd: Decimal
    judge_ms: int
    judge_pass_ms_max: int
    judge_connections_max: int
    alert_networks: Networks
    alert_apprise: bool
    alert_resend_seconds: int
    alert_give_up_seconds: int
    alert_keep_days: int
    alert_waiting_max: int
    budgets_max: int
    erasures_open_max: int
    """Erasures of identifiers that are not finished."""
    erasure_memory_days: int
    """How long after its end an erased identifier is recognised in spans that were on their way."""
    budget_every_ms: int
    budget_fresh_ms: int
    budget_stale_ms: int
    budget_remembered_max: int
    budget_series_max: int
    budget_connections_max: int
    collector_url: str | None
    provider_urls: Mapping[str, str]
    docker_host: str | None
    tls_certificate: Path | None
    tls_key: Path | None
    pool_connections_max: int
    statement_timeout_ms: int
    connections_max: int
    drain_seconds: int
    database_wait_seconds: int
    window_days_max: int
    entries_window_days_max: int
    day_zones_max: int
    requests_per_second: int
    requests_burst: int
    decisions_per_second: int
    exports_max: int
    export_statement_timeout_ms: int
    export_stall_seconds: int
    oidc: IssuerSettings | None = None
    """Read by ``doors.issuer_settings``."""


class Variable(NamedTuple):
    """How one setting is told from outside."""

    name: str
    read: Callable[[str], object]
    default: str
    meaning: str
    secret: bool = False


_USD_MAX = Decimal(1_000_000)
_READY = "http://127.0.0.1:8081/health/ready"
VARIABLES: dict[str, Variable] = {
    "database_url": Variable("FINOPS_DATABASE_URL", database_url, "", "the ledger", secret=True),
    "allow_superuser": Variable(
        "FINOPS_ALLOW_SUPERUSER", switch, "0", "for a trial: a database role that no wall binds"
    ),
    "address": Variable("FINOPS_API", address, "127.0.0.1:8080", "the API and the page listen here"),
    "otlp_grpc": Variable("FINOPS_OTLP_GRPC", address, "127.0.0.1:4317", "named on the page for agents to send to"),
    "insecure": Variable("FINOPS_INSECURE", switch, "0", "listen beyond loopback even before a token exists"),
    "window_seconds": Variable(
        "FINOPS_WINDOW_SECONDS", window_seconds, str(WINDOW_SECONDS_DEFAULT), "sliding window of burn rates"
    ),
    "idle_seconds": Variable(
        "FINOPS_SESSION_IDLE_SECONDS", count(60, 86_400), str(IDLE_SECONDS_DEFAULT), "without a call: no longer active"
    ),
    "anomaly_multiplier": Variable(
        "FINOPS_ANOMALY_MULTIPLIER",
        amount(MULTIPLIER_MIN, MULTIPLIER_MAX),
        str(MULTIPLIER_DEFAULT),
        "times the baseline is abnormal",
    ),
    "anomaly_floor_usd": Variable(
        "FINOPS_ANOMALY_FLOOR_USD", amount(Decimal(0), _USD_MAX), "0.10", "less in the window is no anomaly"
    ),
    "anomaly_calls_min": Variable(
        "FINOPS_ANOMALY_CALLS_MIN", count(1, 10_000), str(CALLS_MIN_DEFAULT), "nor are fewer calls in the window"
    ),
    "single_call_usd": Variable(
        "FINOPS_SINGLE_CALL_USD", amount(Decimal("0.01"), _USD_MAX), "5", "one call that costs so much is an anomaly"
    ),
    "judge_ms": Variable("FINOPS_JUDGE_MS", count(100, 60_000), "1000", "between two rounds of the judge"),
    "judge_pass_ms_max": Variable(
        "FINOPS_JUDGE_PASS_MS_MAX", count(100, 600_000), "10000", "until one pass of the judge is cut off"
    ),
    "judge_connections_max": Variable(
        "FINOPS_JUDGE_POOL_MAX", count(1, 100), "4", "connections to the ledger for the judge"
    ),
    "alert_networks": Variable("FINOPS_ALERT_NETWORKS", networks, "", "networks alerts may go to beside the public"),
    "alert_apprise": Variable(
        "FINOPS_ALERT_APPRISE", switch, "0", "Apprise may be used, whose addresses are not judged"
    ),
    "alert_resend_seconds": Variable(
        "FINOPS_ALERT_RESEND_SECONDS",
        count(10, 3600),
        "60",
        "between two tellings of Alertmanager that an alert fires",
    ),
    "alert_give_up_seconds": Variable(
        "FINOPS_ALERT_GIVE_UP_SECONDS", count(60, 2_592_000), "86400", "of failing until a delivery is given up"
    ),
    "alert_keep_days": Variable("FINOPS_ALERT_KEEP_DAYS", count(1, 36_500), "400", "for which alerts are kept"),
    "alert_waiting_max": Variable(
        "FINOPS_ALERT_WAITING_MAX", count(1, 1_000_000), "1000", "deliveries that may wait for one destination"
    ),
    "budgets_max": Variable("FINOPS_BUDGETS_MAX", count(1, 10_000), "1000", "budgets that can be stated"),
    "erasures_open_max": Variable("FINOPS_ERASURES_OPEN_MAX", count(1, 10_000), "100", "erasures not finished at once"),
    "erasure_memory_days": Variable(
        "FINOPS_ERASURE_MEMORY_DAYS", count(1, 3650), "402", "days for which erased identifiers are recognised"
    ),
    "budget_every_ms": Variable(
        "FINOPS_BUDGET_EVERY_MS", count(100, 3_600_000), "10000", "between two looks of the judge at one budget"
    ),
    "budget_fresh_ms": Variable(
        "FINOPS_BUDGET_FRESH_MS", count(0, 60_000), "1000", "until a decision has a spend read anew"
    ),
    "budget_stale_ms": Variable(
        "FINOPS_BUDGET_STALE_MS", count(0, 600_000), "15000", "age of the oldest spend a decision rests on"
    ),
    "budget_remembered_max": Variable(
        "FINOPS_BUDGET_REMEMBERED_MAX", count(1, 1_000_000), "20000", "spends remembered for decisions"
    ),
    "budget_series_max": Variable("FINOPS_BUDGET_SERIES_MAX", count(0, 10_000), "100", "budgets with gauges"),
    "budget_connections_max": Variable(
        "FINOPS_BUDGET_POOL_MAX", count(1, 100), "4", "connections to the ledger for decisions"
    ),
    "collector_url": Variable("FINOPS_COLLECTOR_URL", url_or_off, _READY, "asked for health; off: not asked"),
    "provider_urls": Variable("FINOPS_PROVIDERS", provider_urls, "", "name=url,... of API providers asked for health"),
    "tls_certificate": Variable("FINOPS_API_TLS_CERTIFICATE", file, "", "PEM file with the API's certificate chain"),
    "tls_key": Variable("FINOPS_API_TLS_KEY", file, "", "PEM file with the key of that certificate"),
    "docker_host": Variable("DOCKER_HOST", docker_host, "", "asked for health where set"),
    "pool_connections_max": Variable("FINOPS_API_POOL_MAX", count(1, 1000), "8", "connections to the ledger"),
    "statement_timeout_ms": Variable(
        "FINOPS_API_STATEMENT_TIMEOUT_MS", count(10, 600_000), "5000", "until a query is given up"
    ),
    "connections_max": Variable("FINOPS_API_CONNECTIONS_MAX", count(1, 100_000), "1000", "HTTP requests at once"),
    "drain_seconds": Variable("FINOPS_API_DRAIN_SECONDS", count(0, 600), "10", "for requests inside after SIGTERM"),
    "database_wait_seconds": Variable(
        "FINOPS_API_DATABASE_WAIT_SECONDS", count(1, 3600), "30", "for the database at start"
    ),
    "window_days_max": Variable("FINOPS_API_WINDOW_DAYS_MAX", count(1, 36_500), "400", "days of a window of costs"),
    "entries_window_days_max": Variable(
        "FINOPS_API_ENTRIES_WINDOW_DAYS_MAX", count(1, 36_500), "31", "days, where sums cannot answer"
    ),
    "day_zones_max": Variable("FINOPS_DAY_ZONES_MAX", count(0, 600), "24", "zones whose days are summed up"),
    "requests_per_second": Variable(
        "FINOPS_API_REQUESTS_PER_SECOND", count(0, 1_000_000), "100", "of one token in the long run; 0: no limit"
    ),
    "requests_burst": Variable("FINOPS_API_REQUESTS_BURST", count(1, 1_000_000), "1000", "of one token after a pause"),
    "decisions_per_second": Variable(
        "FINOPS_API_DECISIONS_PER_SECOND", count(0, 1_000_000), "1000", "about budgets, of one token; 0: no limit"
    ),
    "exports_max": Variable("FINOPS_API_EXPORTS_MAX", count(1, 100), "2", "exports at once"),
    "export_statement_timeout_ms": Variable(
        "FINOPS_API_EXPORT_STATEMENT_TIMEOUT_MS", count(10, 3_600_000), "60000", "for each piece of an export"
    ),
    "export_stall_seconds": Variable(
        "FINOPS_API_EXPORT_STALL_SECONDS", count(1, 3600), "30", "a reader may take nothing for so long"
    ),
}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from ``environment``; raises ``BadSettings`` with every fault there is."""
    faults: list[str] = []
    values: dict[str, Any] = {}
    for field in (field for field in fields(Settings) if field.name in VARIABLES):
        variable = VARIABLES[field.name]
        text = environment.get(variable.name, "").strip() or variable.default
        try:
            values[field.name] = variable.read(text)
        except ValueError as fault:
            shown = "" if variable.secret else f" ({text!r})"
            faults.append(f"{variable.name}{shown} {fault}")
    if not faults and (values["tls_certificate"] is None) != (values["tls_key"] is None):
        faults.append("FINOPS_API_TLS_CERTIFICATE and FINOPS_API_TLS_KEY go together: set both or neither")
    values["oidc"] = read_issuer(environment, faults)
    if faults:
        raise BadSettings(faults)
    return Settings(**values)
