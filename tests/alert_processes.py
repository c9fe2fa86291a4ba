"""The services as processes of their own, with a clock that a test can put forward."""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60.0
_numbers = itertools.count(1)
_WITH_CLOCK = """
import os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import query_api.__main__ as main
ahead = Path(os.environ["CLOCK_AHEAD"])
main.now = lambda: datetime.now(UTC) + timedelta(seconds=float(ahead.read_text() or 0))
sys.exit(main.main())
"""


class Api:
    """A query API that is ready."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, said: Path) -> None:
        self._process = process
        self.url = url
        self._said = said

    @property
    def said(self) -> str:
        """Its log so far."""
        return _text(self._said)

    async def kill(self) -> None:
        """As `kill -9` does."""
        self._process.kill()
        await self._process.wait()


class ClockAhead:
    """Puts the clocks of the query APIs forward."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "clock-ahead"
        self.seconds = 0.0
        self.put_forward(0)

    def put_forward(self, seconds: float) -> None:
        self.seconds += seconds
        written = self.path.with_suffix(".new")
        written.write_text(str(self.seconds))
        written.replace(self.path)


@asynccontextmanager
async def query_api(
    database_url: str, directory: Path, clock: ClockAhead | None = None, **settings: str
) -> AsyncIterator[Api]:
    """A query API over this database; ends with the block, if it did not before."""
    clock = clock or ClockAhead(directory)
    command = [sys.executable, "-c", _WITH_CLOCK]
    environment = {
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": database_url,
        "FINOPS_API": "127.0.0.1:0",
        "FINOPS_COLLECTOR_URL": "off",
        "FINOPS_ALERT_NETWORKS": "127.0.0.0/8",
        "CLOCK_AHEAD": str(clock.path),
        **settings,
    }
    said = directory / f"query-api-{next(_numbers)}.log"
    async with started(command, environment, said) as (process, words):
        yield Api(process, words[2], said)


@asynccontextmanager
async def collector(database_url: str, directory: Path) -> AsyncIterator[str]:
    """The address for OTLP over HTTP of a collector over this database."""
    free = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")
    environment = {
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": database_url,
        "FINOPS_ALLOW_FSYNC_OFF": "1",
        **free,
    }
    async with started([sys.executable, "-m", "collector"], environment, directory / "collector.log") as (_, words):
        yield next(word.removeprefix("http=") for word in words if word.startswith("http="))


@asynccontextmanager
async def started(
    command: list[str], environment: dict[str, str], said: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """A service that said that it is ready, and the words it said."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FINOPS_")}
    with said.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=kept | environment, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(READY_SECONDS):
            words = (await process.stdout.readline()).decode().split()
        assert words[:1] == ["ready"], _text(said)
        yield process, words
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # the pipe of a killed process


def _text(path: Path) -> str:
    return path.read_text("utf-8")
