"""Real databases for the tests: a server an engine, one migrated template each, one database a test.

The embedded PostgreSQL always runs, one cluster a worker. The contract suite runs on every engine there is: name
servers with TimescaleDB by the variables in `ENGINE_VARIABLES` (a superuser's address each) and it runs there as well.
"""

import asyncio
import contextlib
import itertools
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from ledger.migrate import migrate
from ledger.pool import NOBODY, Pool, pool
from standalone.postgres import EmbeddedPostgres

EMBEDDED = "embedded"
ENGINE_VARIABLES = {"timescale": "FINOPS_TEST_TIMESCALE_URL", "apache": "FINOPS_TEST_APACHE_URL"}
"""TimescaleDB Community, and a server with timescaledb.license = 'apache'."""
ON_ONE_ENGINE = {"test_rates_store.py", "test_rates_command.py"}
"""Contract tests that read nothing an engine could keep in its own way."""
_RUN = secrets.token_hex(4)
_numbers = itertools.count(1)


def named(url: str, database: str) -> str:
    """``url`` with another database."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{database}"))


def engines() -> dict[str, str]:
    """The engines named by the environment, with their addresses."""
    return {name: os.environ[variable] for name, variable in ENGINE_VARIABLES.items() if os.environ.get(variable)}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the contract suite on every engine there is."""
    path = metafunc.definition.path
    if "engine_name" in metafunc.fixturenames and path.parent.name == "contract" and path.name not in ON_ONE_ENGINE:
        others = [pytest.param(name, marks=pytest.mark.timescale) for name in engines()]
        metafunc.parametrize("engine_name", [EMBEDDED, *others], indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine_name(request: pytest.FixtureRequest) -> str:
    """Which engine the test runs on."""
    return str(getattr(request, "param", EMBEDDED))


@pytest.fixture(scope="session")
def keeps_rollups(engine_name: str) -> bool:
    """Whether appends must keep the sums themselves on this engine."""
    return engine_name != "timescale"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The embedded server, without fsync: what it keeps dies with the test run anyway."""
    server = EmbeddedPostgres()
    settings = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
    server.start(tmp_path_factory.mktemp("postgres"), settings=settings, disposable=True)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres: EmbeddedPostgres) -> str:
    """The superuser's address of the embedded server's maintenance database."""
    return named(postgres.superuser_url, "postgres")


@pytest.fixture(scope="session")
def server_url(engine_name: str, request: pytest.FixtureRequest) -> str:
    """The superuser's address of the maintenance database of the test's engine."""
    if engine_name == EMBEDDED:
        return str(request.getfixturevalue("postgres_url"))
    return engines()[engine_name]


@pytest.fixture(scope="session")
def templates() -> Iterator[Callable[[str], str]]:
    """The name of a database with every migration, by the address of its server; made once."""
    made: dict[str, str] = {}

    def template(server: str) -> str:
        if server not in made:
            made[server] = f"finops_template_{_RUN}"
            _make_template(server, made[server])
        return made[server]

    yield template
    for server, name in made.items():
        if server in engines().values():
            _drop(server, name)


def _make_template(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        owned = connection.execute("select from pg_roles where rolname = 'finops'").rowcount
        connection.execute(f"create database {name} {'owner finops' if owned else ''}")
    if server in engines().values():
        _add_timescaledb(named(server, name))
    asyncio.run(migrate(named(server, name)))
    if server in engines().values():
        _leave_alone(named(server, name))
    with psycopg.connect(server, autocommit=True) as connection:
        # Nobody may be connected to a database while it is copied: not TimescaleDB's own workers either.
        connection.execute(f"alter database {name} allow_connections false")
        connection.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", [name])


def _add_timescaledb(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create extension if not exists timescaledb")


def _leave_alone(url: str) -> None:
    """No work of TimescaleDB's own in the background of a test; nor in the template, while it is copied."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update _timescaledb_catalog.bgw_job set scheduled = false")
        connection.execute("select _timescaledb_functions.stop_background_workers()")


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")


@contextmanager
def _database(server_url: str, template: str) -> Iterator[str]:
    name = f"finops_test_{_RUN}_{next(_numbers)}"
    # Files are copied in a quarter of the time, where the checkpoint that it takes need not wait for a disk.
    strategy = "wal_log" if server_url in engines().values() else "file_copy"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy {strategy}")
    yield named(server_url, name)
    _drop(server_url, name)


@pytest.fixture
def database_url(server_url: str, templates: Callable[[str], str]) -> Iterator[str]:
    """The address of a fresh, migrated database of this test alone."""
    with _database(server_url, templates(server_url)) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(server_url: str, templates: Callable[[str], str]) -> Iterator[str]:
    """The address of a migrated database of the tests of this module."""
    with _database(server_url, templates(server_url)) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """The address of a database without any schema."""
    name = f"finops_empty_{_RUN}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield named(server_url, name)
    _drop(server_url, name)


def with_role(url: str, role: str) -> str:
    """``url`` for a login of the tests that is a member of a role and nothing else."""
    name = f"{role}_of_tests"
    there_already = psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation  # made by another test or run
    with psycopg.connect(url, autocommit=True) as connection, contextlib.suppress(*there_already):
        connection.execute(f"create role {name} login password '{name}' in role {role}")
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{name}:{name}@{parts.hostname}:{parts.port}"))


@pytest.fixture
async def api_pool(database_url: str) -> AsyncIterator[Pool]:
    """An open pool on the test's database as the query API has it: its role, behind the walls."""
    url = with_role(database_url, "finops_api")
    opened = pool(url, size_max=8, name="test-api", statement_timeout_ms=60_000, wall=NOBODY)
    await opened.open(wait=True)
    yield opened
    await opened.close()


@pytest.fixture
async def ledger_pool(database_url: str) -> AsyncIterator[Pool]:
    """An open pool on the test's database."""
    opened = pool(database_url, size_max=8, name="test", statement_timeout_ms=60_000)
    await opened.open(wait=True)
    yield opened
    await opened.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have counted and recorded as ``counted``, also where other processes ran them."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == "counted" and report.when == "call":
                terminalreporter.write_line(str(value))


@pytest.fixture
async def shared_pool(module_database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Pool]:
    """An open pool on the module's database; the tables in its ``TABLES`` are empty again for each test."""
    opened = pool(module_database_url, size_max=8, name="test", statement_timeout_ms=60_000)
    await opened.open(wait=True)
    async with opened.connection() as connection:
        await connection.execute(f"truncate {', '.join(request.module.TABLES)} restart identity cascade")
    yield opened
    await opened.close()


def pytest_report_header() -> list[str]:
    """What this run is on."""
    on = f"agent-finops: python {sys.version.split()[0]}, run from {Path.cwd().name}; contract suite on"
    lines = [f"{on} the embedded PostgreSQL"]
    for name, variable in ENGINE_VARIABLES.items():
        found = _version_at(os.environ[variable]) if os.environ.get(variable) else f"does not run: {variable} is unset"
        lines.append(f"  engine {name}: {found}")
    return lines


def pytest_sessionstart(session: pytest.Session) -> None:
    """Quiet runs, as those of `make test` are, leave headers out: so they are told which engines there are here."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.config.get_verbosity() < 0 and not hasattr(session.config, "workerinput"):
        for line in pytest_report_header():
            reporter.write_line(line)


def _version_at(url: str) -> str:
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute(
            "select default_version, current_setting('server_version'), current_setting('timescaledb.license', true) "
            "from pg_available_extensions where name = 'timescaledb'"
        ).fetchone()
    if row is None:
        raise pytest.UsageError("a server named for TimescaleDB has not got it")
    return f"TimescaleDB {row[0]} on PostgreSQL {row[1]}, license {row[2] or '(shown once the extension is loaded)'}"
