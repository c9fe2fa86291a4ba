"""The page in a real Chromium: every view says what the API says, with no fault for a console or a screen reader."""

import gzip
import json
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from up_machine import ROOT, Machine, until

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
CHROMIUM = os.environ.get("FINOPS_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("page"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (Debian: apt-get install chromium)"),
]
VIEWS = ("overview", "sessions", "budgets", "prices", "alerts")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DAY_NS = 86_400 * 10**9
AGENTS = {"librarian": "gpt-4o", "clerk": "gpt-4o-mini", "stranger": "model-that-nobody-prices"}


class Served(NamedTuple):
    """A stack with five calls of each of three agents on three days, one of them of a model without a price."""

    machine: Machine
    token: str

    def ask(self, path: str, body: object = None, method: str = "GET") -> Any:
        request = urllib.request.Request(
            f"{self.machine.api}/api/v1/finops{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def attribute(key: str, value: str | int) -> dict[str, object]:
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def call(agent: str, model: str, number: int, at_ns: int) -> dict[str, object]:
    said: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.agent.name": agent,
        "gen_ai.conversation.id": f"{agent}-session",
        "gen_ai.usage.input_tokens": 1_000_000 + number,
        "gen_ai.usage.output_tokens": 5_000,
    }
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat",
        "startTimeUnixNano": str(at_ns - 10**9),
        "endTimeUnixNano": str(at_ns),
        "attributes": [attribute(*pair) for pair in said.items()],
    }


def send(machine: Machine) -> None:
    now = time.time_ns()
    times = [now - 3 * 10**9, now - 2 * 10**9, now, now - DAY_NS, now - 2 * DAY_NS]
    spans = [
        call(agent, model, 1 + 10 * number + place, at)
        for number, at in enumerate(times)
        for place, (agent, model) in enumerate(AGENTS.items())
    ]
    export = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]}
    request = urllib.request.Request(
        f"http://{machine.environment['FINOPS_OTLP_HTTP']}/v1/traces",
        data=json.dumps(export).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert urllib.request.urlopen(request, timeout=30).status == 200


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


class Tab:
    """One page in the browser, and every fault it had."""

    def __init__(self, context: Any, base: str) -> None:
        self.page = context.new_page()
        self.base = base
        self.faults: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        self.page.on("requestfailed", self._failed)

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    def _failed(self, request: Any) -> None:
        # A view that is left gives up what it was still asking for.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.faults.append(f"{request.url}: {request.failure}")

    def open(self, address: str) -> None:
        self.page.goto(self.base + address)

    def settle(self) -> None:
        """Until every panel of the view has its figures."""
        waiting = "[...document.querySelectorAll('#view .body, #view dd')].some((one) => one.textContent === '…')"
        self.wait(f"document.querySelector('#view h1') !== null && !{waiting}")

    def wait(self, expression: str, seconds: float = 60.0) -> None:
        """Until it is true. Playwright's own way evaluates text in the page, which the page's policy forbids."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"waited {seconds} s for {expression}"
            self.page.wait_for_timeout(50)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))


@pytest.fixture(scope="module")
def empty() -> Iterator[Machine]:
    directory = Path(tempfile.mkdtemp(prefix="finops-page-"))
    directory.chmod(0o755)
    machine = Machine(directory)
    machine.up()
    yield machine
    machine.down()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def first_sight(browser: Any, empty: Machine) -> str:
    """What the page says before the first call."""
    context = browser.new_context()
    tab = Tab(context, empty.api)
    tab.open(f"/#token={empty.run('token', 'show').stdout.strip()}")
    tab.page.wait_for_selector("#notice-lines:not([hidden])")
    said = tab.text("#notice")
    assert tab.faults == []
    context.close()
    return said


@pytest.fixture(scope="module")
def served(empty: Machine, first_sight: str) -> Served:
    send(empty)
    made = Served(empty, empty.token())
    made.ask("/baselines/librarian", {"baselineUsdPerHour": 0.5}, "PUT")
    budget = {"name": "everyone", "limitUsd": 10, "period": "month", "thresholds": [50, 100]}
    made.ask("/budgets", budget, "POST")
    until(lambda: made.ask("/anomalies/active"), "the anomaly")
    return made


@pytest.fixture(params=["light", "dark"])
def tab(request: pytest.FixtureRequest, browser: Any, served: Served) -> Iterator[Tab]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900}, locale="en-US")
    opened = Tab(context, served.machine.api)
    opened.open(f"/#token={served.token}")
    opened.settle()
    yield opened
    assert opened.faults == []
    context.close()


@pytest.fixture
def lit(browser: Any, served: Served) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    opened = Tab(context, served.machine.api)
    opened.open(f"/#token={served.token}")
    opened.settle()
    yield opened
    context.close()


def test_an_empty_ledger_teaches_the_three_lines(first_sight: str) -> None:
    lines = [line.partition("=")[0] for line in first_sight.splitlines() if line.startswith("export ")]
    assert lines == [
        "export OTEL_EXPORTER_OTLP_ENDPOINT", "export OTEL_EXPORTER_OTLP_PROTOCOL", "export OTEL_SERVICE_NAME"
    ]  # fmt: skip


def test_every_view_is_accessible_and_quiet(tab: Tab, served: Served) -> None:
    addresses = [f"/?view={view}" for view in VIEWS]
    trace = served.ask("/sessions/librarian-session")["items"][0]["traceId"]
    for address in (*addresses, "/?view=session&id=librarian-session", f"/?view=trace&id={trace}"):
        tab.open(address)
        tab.settle()
        for summary in tab.page.query_selector_all("#view details > summary"):
            summary.click()
        assert tab.text("#view").count("Not available") == 0, address
        found = axe_playwright.Axe().run(tab.page)
        assert found.violations_count == 0, found.generate_report()


def test_the_tiles_say_what_the_api_says(lit: Tab, served: Served) -> None:
    totals = served.ask("/costs?window=today")["totals"]
    assert lit.page.get_attribute(".tiles dd >> nth=0", "title") == f"{totals['costUsd']} USD"
    assert f"{totals['calls']} calls, {totals['unpricedCalls']} of unknown cost" in lit.text(".tiles")
    assert "librarian" in lit.text("#anomalies")


def test_a_click_on_an_agent_filters_and_the_address_keeps_it(lit: Tab) -> None:
    lit.page.click("#agents tbody a:text-is('clerk')")
    lit.wait("document.querySelectorAll('#agents tbody tr').length === 1")
    assert "agentId=clerk" in lit.page.url
    lit.page.reload()
    lit.settle()
    assert lit.page.input_value("#agentId") == "clerk"
    assert lit.page.locator("#models tbody tr").count() == 1
    lit.page.go_back()
    lit.wait("document.querySelectorAll('#agents tbody tr').length === 3")
    assert lit.faults == []


def test_the_zone_of_the_days_is_asked_for_and_a_wrong_one_refused(lit: Tab) -> None:
    lit.page.fill("#tz", "Mars/Olympus")
    lit.page.keyboard.press("Enter")
    assert lit.page.evaluate("document.getElementById('tz').validationMessage").startswith("no such time zone")
    lit.page.fill("#tz", "Asia/Kolkata")
    lit.page.keyboard.press("Enter")
    lit.page.wait_for_url("**tz=Asia**")
    lit.settle()
    assert lit.faults == []


def test_a_session_opens_down_to_the_arithmetic_of_one_call(lit: Tab) -> None:
    lit.page.click("#views a[data-view=sessions]")
    lit.page.click("#dearest tbody a:text-is('librarian-session')")
    lit.page.click("#calls details summary >> nth=0")
    assert "x 0.0025 / 1000 = 2.5" in lit.text("#calls")
    lit.page.click("#calls details[open] a")
    lit.page.wait_for_url("**view=trace**")
    lit.settle()
    assert "the only record of the call" in lit.text("#spans")
    assert lit.faults == []


def test_every_chart_has_its_table(lit: Tab) -> None:
    lit.page.click("#trend summary")
    assert lit.page.locator("#trend table tbody tr").count() == 9
    assert "The dearest day" in str(lit.page.get_attribute("#trend svg[role=img]", "aria-label"))


def test_a_rate_is_looked_at_before_it_is_saved_and_then_prices_what_waited(lit: Tab, served: Served) -> None:
    lit.open("/?view=prices")
    lit.page.click("#unpriced button")
    lit.page.fill("#inputRatePerKTokens", "0.001")
    lit.page.fill("#outputRatePerKTokens", "0.002")
    assert lit.page.is_hidden("form.rate button:text-is('Save this rate')")
    lit.page.click("form.rate button:text-is('Preview')")
    lit.page.wait_for_selector("form.rate >> text=Nothing is changed yet. Of 5 calls")
    assert served.ask("/costs?window=7d")["totals"]["unpricedCalls"] == 5
    lit.page.click("form.rate button:text-is('Save this rate')")
    lit.page.wait_for_selector("form.rate >> text=5 calls have a price now")
    assert served.ask("/costs?window=7d")["totals"]["unpricedCalls"] == 0
    assert lit.faults == []
    lit.page.fill("#inputRatePerKTokens", "0.003")
    lit.page.click("form.rate button:text-is('Preview')")
    lit.page.wait_for_selector("form.rate button:text-is('Save this rate')")
    (mine,) = served.ask("/valuation-rates/history?modelId=model-that-nobody-prices")["items"]
    theirs = {"modelId": mine["modelId"], "inputRatePerKTokens": 0.004, "outputRatePerKTokens": 0.002}
    served.ask("/valuation-rates", theirs | ({"provider": mine["provider"]} if mine["provider"] else {}), "PUT")
    lit.page.click("form.rate button:text-is('Save this rate')")
    lit.page.wait_for_selector("form.rate >> text=Somebody else has set a rate for this model since the preview.")
    assert len(served.ask("/valuation-rates/history?modelId=model-that-nobody-prices")["items"]) == 2
    assert all("412" in fault for fault in lit.faults), lit.faults


def test_without_a_token_the_page_asks_for_one(browser: Any, served: Served) -> None:
    context = browser.new_context()
    stranger = Tab(context, served.machine.api)
    stranger.open("/")
    stranger.page.wait_for_selector("#token-form:not([hidden])")
    stranger.page.fill("#token", served.token)
    stranger.page.click("#token-form button")
    stranger.settle()
    assert served.token not in stranger.page.url
    context.close()


def test_the_page_is_light_and_asks_nobody_else() -> None:
    files = list((ROOT / "query_api" / "page").iterdir())
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 150_000
    foreign = [path.name for path in files if "https://" in path.read_text("utf-8")]
    assert foreign == []
    first = (ROOT / "query_api" / "page" / "index.html").read_text("utf-8")
    assert [path.name for path in files if path.suffix == ".js" and f'"/page/{path.name}"' not in first] == []
    assert all(Path(path).suffix in (".html", ".css", ".js") for path in files)
