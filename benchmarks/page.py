"""The page in a real Chromium over 90 days of 50 agents: first paint, all figures, bytes, and each answer, then alone.

    python -m benchmarks.page [--rounds 10] [--screenshots DIRECTORY]

Fills a fresh ledger on the embedded PostgreSQL, starts ``python -m query_api`` as a process of its own and opens every
view ``--rounds`` times in a browser that has nothing cached. Exits with 1 where the first contentful paint is over
``--paint-ms`` at the median, the page heavier than ``--kilobytes``, or an answer later than ``--answer-ms`` at p95.
"""

import argparse
import asyncio
import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.panels import fill
from finops.access import Scope
from ledger.block_calendars import build
from ledger.engine import detect
from ledger.pool import Connection
from ledger.refresh import SETTLE
from ledger.tokens import register
from standalone.postgres import EmbeddedPostgres

PAGE = Path(__file__).resolve().parents[1] / "query_api" / "page"
TOKEN = "finops_benchmark-0123456789-0123456789"
VIEWS = ("view=overview&days=90", "view=sessions&days=90", "view=budgets", "view=prices&days=90", "view=alerts")
WAITING = "[...document.querySelectorAll('#view .body, #view dd')].some((one) => one.textContent === '…')"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
SETTLED = f"document.querySelector('#view h1') !== null && !{WAITING} && ({PAINTED}) !== null"
ANSWERS = """
performance.getEntriesByType('resource').filter((one) => one.name.includes('/api/'))
    .map((one) => [new URL(one.name), one.responseEnd - one.requestStart])
    .map(([url, took]) => [url.pathname, url.search, took])
"""
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
SECONDS_MAX = 60
ALONE = 40
"""Times each question is asked without a browser."""


class Measured:
    """What the browser saw: milliseconds by view, and by path of the API."""

    def __init__(self) -> None:
        self.painted: defaultdict[str, list[float]] = defaultdict(list)
        self.settled: defaultdict[str, list[float]] = defaultdict(list)
        self.answers: defaultdict[str, list[float]] = defaultdict(list)
        self.asked: dict[str, str] = {}
        """The path of each question in full."""
        self.alone: defaultdict[str, list[float]] = defaultdict(list)
        """By path, asked one after the other and without a browser."""


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure the page.")
    parser.add_argument("--rounds", type=int, default=10, help="times each view is opened (default: 10)")
    parser.add_argument("--paint-ms", type=float, default=1000.0, help="limit of the first paint (default: 1000)")
    parser.add_argument("--answer-ms", type=float, default=200.0, help="limit of an answer's p95 (default: 200)")
    parser.add_argument(
        "--kilobytes", type=float, default=150.0, help="limit of the page's files, gzipped (default: 150)"
    )
    parser.add_argument("--screenshots", type=Path, help="where to put a picture of each view")
    arguments = parser.parse_args()
    chromium = os.environ.get("FINOPS_TEST_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("there is no chromium here (Debian: apt-get install chromium)", file=sys.stderr)
        return 2
    with ExitStack() as held:
        address = _served(held)
        measured = _opened(address, chromium, arguments.rounds, arguments.screenshots)
        _ask_alone(address, measured)
    return _judged(measured, arguments)


def _served(held: ExitStack) -> str:
    """A query API of its own process over a filled ledger."""
    directory = Path(held.enter_context(tempfile.TemporaryDirectory()))
    server = EmbeddedPostgres()
    url = server.start(directory / "postgres", settings={"fsync": "off"}, disposable=True)
    held.callback(server.stop)
    fill(url)
    asyncio.run(_prepared(url))
    settings = {"FINOPS_DATABASE_URL": url, "FINOPS_API": "127.0.0.1:0", "FINOPS_ALLOW_FSYNC_OFF": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FINOPS_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "query_api"], env=kept | settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    held.callback(process.wait)
    held.callback(process.terminate)
    assert process.stdout is not None
    return process.stdout.readline().decode().split()[-1]


async def _prepared(url: str) -> None:
    """The sums of weeks, as a collector has made them long before a ledger is 90 days old, and a token."""
    async with await Connection.connect(url, autocommit=True) as connection:
        await connection.execute("set timezone = 'UTC'")
        engine = await detect(connection)
        while await build(connection, engine, datetime.now(UTC), SETTLE):
            pass
        await connection.execute("analyze usage_blocks, blocks")
        await register(connection, name="bench", secret=TOKEN, scopes=[Scope.READ])


def _opened(address: str, chromium: str, rounds: int, pictures: Path | None) -> Measured:
    measured = Measured()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        for _ in range(rounds):
            for view in VIEWS:
                context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
                _look(context.new_page(), f"{address}/?{view}#token={TOKEN}", view, measured)
                context.close()
        if pictures is not None:
            _picture(browser, address, pictures)
        browser.close()
    return measured


def _look(page: Any, address: str, view: str, measured: Measured) -> None:
    page.goto(address)
    _settle(page)
    measured.settled[view].append(page.evaluate("performance.now()"))
    measured.painted[view].append(page.evaluate(PAINTED))
    for path, search, took in page.evaluate(ANSWERS):
        measured.asked[path + search] = path
        measured.answers[path].append(took)


def _ask_alone(address: str, measured: Measured) -> None:
    """Every question of the page, one at a time, with the two cores to itself."""
    for question, path in sorted(measured.asked.items()):
        request = urllib.request.Request(f"{address}{question}", headers={"Authorization": f"Bearer {TOKEN}"})
        for _ in range(ALONE):
            began = time.perf_counter()
            with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
                answer.read()
            measured.alone[path].append((time.perf_counter() - began) * 1000)


def _settle(page: Any) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not page.evaluate(SETTLED):
        if time.monotonic() > deadline:
            raise TimeoutError("the view does not settle")
        page.wait_for_timeout(10)


def _picture(browser: Any, address: str, directory: Path) -> None:
    """Every view wide and light, wide and dark, narrow."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, scheme, width in (("light", "light", 1280), ("dark", "dark", 1280), ("narrow", "light", 390)):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, locale="en-US")
        page = context.new_page()
        for view in VIEWS:
            page.goto(f"{address}/?{view}#token={TOKEN}")
            _settle(page)
            page.screenshot(path=directory / f"{view[5:].partition('&')[0]}-{name}.png", full_page=True)
        context.close()


def _judged(measured: Measured, limits: argparse.Namespace) -> int:
    weight = sum(len(gzip.compress(path.read_bytes())) for path in PAGE.iterdir()) / 1000
    print(f"{weight:.1f} kB gzipped, all files of the page (limit {limits.kilobytes:.0f})")
    paint, late = 0.0, 0.0
    for view, times in measured.painted.items():
        middle, there = statistics.median(times), statistics.median(measured.settled[view])
        paint = max(paint, middle)
        print(f"first paint {middle:6.0f} ms (worst {max(times):.0f}), all figures {there:6.0f} ms  {view}")
    for path, times in sorted(measured.answers.items()):
        p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
        late = max(late, p95)
        alone = statistics.quantiles(measured.alone[path], n=20)
        print(
            f"p50 {statistics.median(times):6.1f} ms  p95 {p95:6.1f} ms, alone {alone[9]:.1f}, {alone[-1]:.1f}  {path}"
        )
    print(f"first paint {paint:.0f} ms (limit {limits.paint_ms:.0f})")
    print(f"the slowest p95 is {late:.0f} ms (limit {limits.answer_ms:.0f})")
    return 0 if paint <= limits.paint_ms and late <= limits.answer_ms and weight <= limits.kilobytes else 1


if __name__ == "__main__":
    sys.exit(main())
