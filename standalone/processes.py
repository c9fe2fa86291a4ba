"""The whole product on one machine: the embedded PostgreSQL, the collector and the query API as separate processes.

Started in that order, watched, and stopped in the order that loses nothing: the collector stops accepting and drains,
then the query API, then the database. What ends by itself is started again, after a growing while and not for ever.

`Stack` waits only inside `start`, `watch` and `stop`; between them the children run unwatched.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from doors.settings_values import Address
from finops.access import Scope
from ledger.rights import ROLES
from ledger.tokens import any_with
from standalone.admin_token import ensure_admin_token, token_file
from standalone.child import module_command, module_environment
from standalone.database import bring_up_to_date, in_ledger, make_service_roles
from standalone.failures import CannotStart
from standalone.log_file import LogFile
from standalone.postgres import EmbeddedPostgres
from standalone.postgres_home import Home, open_home
from standalone.restarts import RESTARTS_MAX, RESTARTS_WINDOW_SECONDS, Restarts
from standalone.services import Services

OTLP_GRPC = Address("127.0.0.1", 4317)
OTLP_HTTP = Address("127.0.0.1", 4318)
API = Address("127.0.0.1", 8080)
METRICS = Address("127.0.0.1", 8081)
_LOOK_SECONDS = 0.2
_COMMANDS = {"collector": module_command("collector"), "query_api": module_command("query_api")}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """What `up` can be told. The defaults are the contract's."""

    data_dir: Path = Path(".agent-finops")
    database_url: str | None = None
    """None: the embedded PostgreSQL in the data directory."""
    postgres_port: int | None = None
    """None: chosen on the first start and kept."""
    otlp_grpc: Address = OTLP_GRPC
    otlp_http: Address = OTLP_HTTP
    api: Address = API
    metrics: Address = METRICS
    insecure: bool = False
    """Allow OTLP doors beyond loopback without tokens and without TLS."""
    disposable: bool = False
    """The embedded database is not worth keeping: what of it had to be put outside the data directory is removed."""


class Stack:
    """Database and services. `start`, then `watch` in a loop, then `stop`; leaving it as a context manager stops it.

    Everything worth telling a person is told to `say`, one line at a time. All failures are CannotStart, raised with
    everything stopped when they come from `start`.
    """

    def __init__(
        self,
        settings: StackSettings,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        *,
        commands: Mapping[str, list[str]] | None = None,
    ) -> None:
        self.settings = settings
        self.database_url = ""
        self.admin_token = ""
        self._environment = environment
        self._say = say
        self._commands = commands or _COMMANDS
        self._postgres = EmbeddedPostgres(environment, say)
        self._postgres_restarts = Restarts()
        self._home: Home | None = None
        self._services = Services(settings.data_dir / "logs", say)
        self._postgres_log = LogFile(settings.data_dir / "logs" / "postgres.log")

    @property
    def api_url(self) -> str:
        """Where this machine reaches the query API."""
        scheme = "https" if self._environment.get("FINOPS_API_TLS_CERTIFICATE") else "http"
        return f"{scheme}://{self.settings.api.from_here}"

    @property
    def page_url(self) -> str:
        """The web page; the token is in the fragment, which browsers never send and servers never log."""
        return f"{self.api_url}/#token={self.admin_token}"

    @property
    def otlp_grpc_url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is for OTLP/gRPC on this machine."""
        return f"{self._otlp_scheme}://{self.settings.otlp_grpc.from_here}"

    @property
    def otlp_http_url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is for OTLP/HTTP on this machine."""
        return f"{self._otlp_scheme}://{self.settings.otlp_http.from_here}"

    def agent_environment(self) -> dict[str, str]:
        """What an agent on this machine needs in its environment to send its spans here."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp_grpc_url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_SERVICE_NAME": "my-agent",
        }

    @property
    def _otlp_scheme(self) -> str:
        return "https" if self._environment.get("FINOPS_TLS_CERTIFICATE") else "http"

    def start(self) -> None:
        """Start everything and return when every service accepts. Raises CannotStart."""
        try:
            self._start_database()
            self._make_roles()
            bring_up_to_date(self.database_url, self._say)
            path = token_file(self.settings.data_dir, self._environment)
            self.admin_token = ensure_admin_token(path, self.database_url, self._say)
            self._services.start(self._commands, self._service_environment(), self._own_environment())
        except BaseException:
            self.stop()
            raise

    def watch(self, seconds: float) -> None:
        """Look after the children for this long. Raises CannotStart when one of them cannot be kept running."""
        until = time.monotonic() + seconds
        while True:
            remaining = until - time.monotonic()
            self._services.listen(max(0.0, min(_LOOK_SECONDS, remaining)))
            self._look_after_database()
            self._services.look_after()
            self._postgres_log.bound()
            if remaining <= 0:
                return

    def stop(self) -> None:
        """Drain and stop everything that runs: the collector, the query API, the database."""
        self._services.stop()
        self._postgres.stop()
        self._release()

    def kill(self) -> None:
        """End everything now. Nothing that was acknowledged is lost: the database recovers at the next start."""
        self._services.kill()
        self._postgres.kill()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _release(self) -> None:
        if self._home is not None:
            self._home.release()
            self._home = None

    def _start_database(self) -> None:
        settings = self.settings
        if settings.database_url:
            self._home = open_home(settings.data_dir)
            self.database_url = settings.database_url
            return
        self._start_postgres(settings.postgres_port)
        self._say(f"ready postgres 127.0.0.1:{self._postgres.port}")

    def _start_postgres(self, port: int | None) -> None:
        settings = self.settings
        self.database_url = self._postgres.start(settings.data_dir, port, disposable=settings.disposable)

    def _make_roles(self) -> None:
        """Lets each service log in with a role of its own. On a database of somebody's own that is theirs to do."""
        if self.settings.database_url is None:
            make_service_roles(self._postgres.superuser_url, self._postgres.role_passwords(ROLES))

    def _url_of(self, role: str) -> str:
        """Where a service connects."""
        return self.settings.database_url or self._postgres.role_url(role)

    @property
    def dashboards_url(self) -> str:
        """Where whoever only reads connects."""
        return self._url_of("finops_reader")

    def _own_environment(self) -> dict[str, dict[str, str]]:
        """What only one service is told: with which right it comes to the database."""
        jobs = self._environment.get("FINOPS_JOBS_DATABASE_URL") or self._url_of("finops_jobs")
        collector = {"FINOPS_DATABASE_URL": self._url_of("finops_collector"), "FINOPS_JOBS_DATABASE_URL": jobs}
        return {"collector": collector, "query_api": {"FINOPS_DATABASE_URL": self._url_of("finops_api")}}

    def _service_environment(self) -> dict[str, str]:
        settings = self.settings
        told = {
            "FINOPS_OTLP_GRPC": str(settings.otlp_grpc),
            "FINOPS_OTLP_HTTP": str(settings.otlp_http),
            "FINOPS_API": str(settings.api),
            "FINOPS_METRICS": str(settings.metrics),
            "FINOPS_COLLECTOR_URL": f"http://{settings.metrics.from_here}/health/ready",
            "FINOPS_DATA_DIR": str(settings.data_dir.absolute()),
            "FINOPS_SPOOL_DIR": self._environment.get("FINOPS_SPOOL_DIR", str(settings.data_dir.absolute() / "spool")),
            "FINOPS_INSECURE": "1" if settings.insecure else "0",
        }
        if settings.database_url:
            told["FINOPS_DATABASE_URL"] = settings.database_url
        if self._needs_tokens():
            told["FINOPS_INGEST_TOKENS_REQUIRED"] = "1"
        return module_environment({**self._environment, **told})

    def _needs_tokens(self) -> bool:
        """Whether ingest tokens guard an open door. Raises CannotStart where nothing does and that is not allowed."""
        settings = self.settings
        exposed = [str(address) for address in (settings.otlp_grpc, settings.otlp_http) if not address.is_loopback]
        if not exposed or settings.insecure:
            return False
        if in_ledger(self.database_url, lambda connection: any_with(connection, [Scope.INGEST])):
            return True
        if self._environment.get("FINOPS_TLS_CERTIFICATE"):
            return False
        raise CannotStart(
            f"{' and '.join(exposed)} would take spans from beyond this machine without tokens or TLS: make a token "
            "with `agent-finops token create`, or set FINOPS_TLS_CERTIFICATE, or accept it with --insecure"
        )

    def _look_after_database(self) -> None:
        if not self._postgres.died():
            return
        if self._postgres_restarts.delay_after_end(time.monotonic()) is None:
            raise CannotStart(
                f"PostgreSQL ended more than {RESTARTS_MAX} times in {RESTARTS_WINDOW_SECONDS:.0f} s: "
                f"see {self._postgres_log.path}"
            )
        self._say("PostgreSQL ended unexpectedly: it is started again and recovers")
        port = self._postgres.port
        self._postgres.stop()
        self._start_postgres(port)
        self._say(f"ready postgres 127.0.0.1:{port}")
