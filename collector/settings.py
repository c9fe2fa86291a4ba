"""Everything the collector can be told from outside: one frozen value read once from a mapping.

All faults are found in one reading, each with the name of its variable. Reading the environment itself is left to
``__main__``; what the limits mean is said by the modules that keep them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

from collector.settings_values import count, database_url, database_url_or_none, directory, file, switch
from doors.issuer_settings import IssuerSettings, read_issuer, render_issuer
from doors.settings_values import Address as Address
from doors.settings_values import address as address_value

KIBI = 1024
MEBI = 1024 * KIBI
GRPC_MESSAGE_BYTES_CEILING = 64 * MEBI


class BadSettings(ValueError):
    """One or more settings cannot be used; ``faults`` holds one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Variable(NamedTuple):
    """How one setting is told from outside."""

    name: str
    read: Callable[[str], object]
    default: str
    meaning: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The collector's settings. Each field names its variable, default and meaning; units are in the names."""

    database_url: Annotated[str, Variable("FINOPS_DATABASE_URL", database_url, "", "the ledger", secret=True)]
    jobs_database_url: Annotated[
        str | None, Variable("FINOPS_JOBS_DATABASE_URL", database_url_or_none, "", "the jobs connect here", secret=True)
    ]
    allow_fsync_off: Annotated[
        bool, Variable("FINOPS_ALLOW_FSYNC_OFF", switch, "0", "for tests: a crash of the server may lose spans")
    ]
    allow_superuser: Annotated[
        bool, Variable("FINOPS_ALLOW_SUPERUSER", switch, "0", "for a trial: a database role that no wall binds")
    ]
    connections_max: Annotated[
        int,
        Variable("FINOPS_DATABASE_CONNECTIONS_MAX", count(2, 100), "4", "two append, the rest check tokens"),
    ]
    statement_ms_max: Annotated[
        int, Variable("FINOPS_DATABASE_STATEMENT_MS_MAX", count(100, 600_000), "10_000", "one SQL statement")
    ]
    database_wait_ms_max: Annotated[
        int, Variable("FINOPS_DATABASE_WAIT_MS_MAX", count(0, 3_600_000), "30_000", "for the ledger, at start")
    ]
    remembered_spans_max: Annotated[
        int, Variable("FINOPS_REMEMBERED_SPANS_MAX", count(0, 100_000_000), "20_000", "of open traces, in memory")
    ]
    accept_days_max: Annotated[
        int, Variable("FINOPS_ACCEPT_DAYS_MAX", count(1, 3650), "400", "older spans are refused as too_late")
    ]
    keep_entries_days: Annotated[
        int,
        Variable("FINOPS_KEEP_ENTRIES_DAYS", count(0, 36_500), "0", "older entries are dropped, sums never; 0: none"),
    ]
    refresh_ms: Annotated[
        int, Variable("FINOPS_REFRESH_MS", count(100, 600_000), "5000", "between refreshes of continuous aggregates")
    ]
    settle_seconds: Annotated[
        int, Variable("FINOPS_SETTLE_SECONDS", count(0, 86_400), "300", "until a quarter hour is materialised")
    ]
    grpc: Annotated[Address, Variable("FINOPS_OTLP_GRPC", address_value, "127.0.0.1:4317", "OTLP/gRPC listens here")]
    http: Annotated[Address, Variable("FINOPS_OTLP_HTTP", address_value, "127.0.0.1:4318", "OTLP/HTTP listens here")]
    metrics: Annotated[
        Address, Variable("FINOPS_METRICS", address_value, "127.0.0.1:8081", "/metrics and /health listen here")
    ]
    tls_certificate: Annotated[
        Path | None, Variable("FINOPS_TLS_CERTIFICATE", file, "", "PEM chain for both OTLP doors")
    ]
    tls_key: Annotated[Path | None, Variable("FINOPS_TLS_KEY", file, "", "PEM key of the certificate")]
    tls_client_ca: Annotated[
        Path | None, Variable("FINOPS_TLS_CLIENT_CA", file, "", "PEM; clients must be signed by it")
    ]
    tokens_required: Annotated[
        bool, Variable("FINOPS_INGEST_TOKENS_REQUIRED", switch, "0", "1: even while no ingest token exists")
    ]
    insecure: Annotated[bool, Variable("FINOPS_INSECURE", switch, "0", "allow plain, open doors beyond loopback")]
    message_bytes_max: Annotated[
        int,
        Variable(
            "FINOPS_MESSAGE_BYTES_MAX",
            count(64 * KIBI, GRPC_MESSAGE_BYTES_CEILING),
            str(16 * MEBI),
            "one export, inflated",
        ),
    ]
    admitted_bytes_max: Annotated[
        int,
        Variable(
            "FINOPS_ADMITTED_BYTES_MAX", count(64 * KIBI, 4096 * MEBI), str(72 * MEBI), "all exports not yet answered"
        ),
    ]
    admitted_spans_max: Annotated[
        int,
        Variable("FINOPS_ADMITTED_SPANS_MAX", count(1, 10_000_000), "20_000", "spans not yet committed"),
    ]
    admitted_requests_max: Annotated[
        int, Variable("FINOPS_ADMITTED_REQUESTS_MAX", count(1, 1_000_000), "4096", "exports not yet answered")
    ]
    admitted_age_ms_max: Annotated[
        int, Variable("FINOPS_ADMITTED_AGE_MS_MAX", count(100, 600_000), "5000", "the oldest export not yet committed")
    ]
    answer_ms_max: Annotated[
        int, Variable("FINOPS_ANSWER_MS_MAX", count(100, 600_000), "3000", "until UNAVAILABLE is answered")
    ]
    late_exports_max: Annotated[
        int,
        Variable("FINOPS_LATE_EXPORTS_MAX", count(0, 1_000_000), "1024", "answered late, remembered if they come back"),
    ]
    ledger_silent_ms_max: Annotated[
        int,
        Variable(
            "FINOPS_LEDGER_SILENT_MS_MAX", count(100, 600_000), "3000", "without an answer: not ready, if no spool"
        ),
    ]
    group_spans_max: Annotated[
        int, Variable("FINOPS_GROUP_SPANS_MAX", count(1, 1_000_000), "2048", "spans in one commit")
    ]
    spool_dir: Annotated[
        Path | None, Variable("FINOPS_SPOOL_DIR", directory, "", "takes exports while the ledger cannot; empty: none")
    ]
    spool_bytes_max: Annotated[
        int, Variable("FINOPS_SPOOL_BYTES_MAX", count(64 * KIBI, MEBI * MEBI), str(1024 * MEBI), "in the spool")
    ]
    spool_after_ms: Annotated[
        int, Variable("FINOPS_SPOOL_AFTER_MS", count(10, 600_000), "1000", "for the ledger, until the spool takes it")
    ]
    drain_ms_max: Annotated[int, Variable("FINOPS_DRAIN_MS_MAX", count(0, 600_000), "10_000", "from SIGTERM to exit")]
    inline_decode_bytes_max: Annotated[
        int,
        Variable(
            "FINOPS_INLINE_DECODE_BYTES_MAX",
            count(0, GRPC_MESSAGE_BYTES_CEILING),
            str(256 * KIBI),
            "larger: elsewhere",
        ),
    ]
    decode_process: Annotated[
        bool, Variable("FINOPS_DECODE_PROCESS", switch, "1", "larger exports in a process of their own; 0: a thread")
    ]
    http_connections_max: Annotated[
        int, Variable("FINOPS_HTTP_CONNECTIONS_MAX", count(1, 100_000), "1000", "OTLP/HTTP sockets")
    ]
    header_ms_max: Annotated[
        int, Variable("FINOPS_HEADER_MS_MAX", count(10, 600_000), "10_000", "to send HTTP headers")
    ]
    body_ms_max: Annotated[int, Variable("FINOPS_BODY_MS_MAX", count(10, 600_000), "10_000", "to send an export")]
    grpc_streams_max: Annotated[
        int, Variable("FINOPS_GRPC_STREAMS_MAX", count(1, 10_000), "16", "exports a connection")
    ]
    grpc_lookahead_bytes: Annotated[
        int, Variable("FINOPS_GRPC_LOOKAHEAD_BYTES", count(1024, 16 * MEBI), "65535", "window")
    ]
    grpc_bdp_probe: Annotated[bool, Variable("FINOPS_GRPC_BDP_PROBE", switch, "0", "let windows grow with bandwidth")]
    grpc_ping_ms_min: Annotated[
        int, Variable("FINOPS_GRPC_PING_MS_MIN", count(0, 600_000), "5000", "between client pings")
    ]
    grpc_ping_strikes_max: Annotated[
        int, Variable("FINOPS_GRPC_PING_STRIKES_MAX", count(0, 1000), "0", "early pings before goodbye; 0: never")
    ]
    grpc_keepalive_idle: Annotated[bool, Variable("FINOPS_GRPC_KEEPALIVE_IDLE", switch, "1", "ping without calls, too")]
    grpc_keepalive_ms: Annotated[
        int, Variable("FINOPS_GRPC_KEEPALIVE_MS", count(1000, 7_200_000), "60_000", "between our pings")
    ]
    grpc_keepalive_timeout_ms: Annotated[
        int, Variable("FINOPS_GRPC_KEEPALIVE_TIMEOUT_MS", count(100, 600_000), "20_000", "until a silent peer is gone")
    ]
    grpc_idle_ms_max: Annotated[
        int, Variable("FINOPS_GRPC_IDLE_MS_MAX", count(100, 86_400_000), "300_000", "no call at all")
    ]
    grpc_age_ms_max: Annotated[
        int,
        Variable(
            "FINOPS_GRPC_AGE_MS_MAX",
            count(1000, 86_400_000),
            "3_600_000",
            "a connection's life, so that balancers can act",
        ),
    ]
    grpc_age_grace_ms: Annotated[
        int, Variable("FINOPS_GRPC_AGE_GRACE_MS", count(0, 600_000), "30_000", "after that, to finish")
    ]
    grpc_handshake_ms_max: Annotated[
        int, Variable("FINOPS_GRPC_HANDSHAKE_MS_MAX", count(100, 600_000), "10_000", "until a mute socket is closed")
    ]
    grpc_metadata_bytes_max: Annotated[
        int, Variable("FINOPS_GRPC_METADATA_BYTES_MAX", count(1024, MEBI), str(16 * KIBI), "headers of one export")
    ]
    reuse_port: Annotated[
        bool, Variable("FINOPS_REUSE_PORT", switch, "0", "let several collectors share the OTLP ports")
    ]
    oidc: IssuerSettings | None = None
    """Read by ``doors.issuer_settings``. With an issuer nobody sends without a token."""


def variables() -> dict[str, Variable]:
    """Field name to variable, in the order of ``Settings``."""
    hints = get_type_hints(Settings, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from ``environment``; raises ``BadSettings`` with every fault there is."""
    faults: list[str] = []
    values: dict[str, Any] = {}
    for field, variable in variables().items():
        text = environment.get(variable.name, "").strip() or variable.default
        try:
            values[field] = variable.read(text)
        except ValueError as fault:
            shown = "" if variable.secret else f" ({text!r})"
            faults.append(f"{variable.name}{shown} {fault}")
    values["oidc"] = read_issuer(environment, faults)
    if not faults:
        settings = Settings(**values)
        faults = _disagreements(settings)
        if not faults:
            return settings
    raise BadSettings(faults)


def _disagreements(settings: Settings) -> list[str]:
    faults = []
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        faults.append("FINOPS_TLS_CERTIFICATE and FINOPS_TLS_KEY go together: set both or neither")
    if settings.tls_client_ca and not settings.tls_certificate:
        faults.append("FINOPS_TLS_CLIENT_CA needs FINOPS_TLS_CERTIFICATE")
    if 0 < settings.keep_entries_days < settings.accept_days_max + 2:
        faults.append("FINOPS_KEEP_ENTRIES_DAYS must be 0, or FINOPS_ACCEPT_DAYS_MAX and two days more")
    if settings.admitted_bytes_max < settings.message_bytes_max:
        faults.append("FINOPS_ADMITTED_BYTES_MAX is below FINOPS_MESSAGE_BYTES_MAX: the largest export can never enter")
    asks = settings.tokens_required or settings.oidc is not None
    guarded = asks or settings.tls_certificate is not None or settings.insecure
    for variable, address in (("FINOPS_OTLP_GRPC", settings.grpc), ("FINOPS_OTLP_HTTP", settings.http)):
        if not guarded and not address.is_loopback:
            faults.append(
                f"{variable} ({address}) listens beyond this machine without tokens or TLS: set "
                "FINOPS_INGEST_TOKENS_REQUIRED=1 or FINOPS_TLS_CERTIFICATE, or FINOPS_INSECURE=1 to accept that"
            )
    return faults


def render_settings(settings: Settings) -> list[str]:
    """``VARIABLE=value  # meaning`` lines of everything in effect, secrets masked."""
    lines = []
    for field, variable in variables().items():
        value = getattr(settings, field)
        if isinstance(value, bool):
            value = int(value)
        shown = "" if value is None else "***" if variable.secret else str(value)
        lines.append(f"{variable.name}={shown}  # {variable.meaning}")
    return lines + render_issuer(settings.oidc)
