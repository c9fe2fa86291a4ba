"""The reference pages say what the code says: every setting, metric, path and field is there, and nothing else is."""

import ast
import asyncio
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest
from budget_world import NOW, a_budget

import collector.metrics
import collector.settings
import doors.issuer_settings
import query_api.settings
from finops.access import Grant
from finops.alert_listing import AlertCounts
from finops.budget_periods import Span
from finops.budgets import Spend, Standing
from finops.expiry import PrivacyState
from finops.reports import AgentBurn, BurnGauges, Lifetime
from query_api.budget_gauges import gauges
from query_api.burn_metrics import burn_families
from query_api.endpoints.alerts import AlertEndpoints
from query_api.endpoints.exports import ExportEndpoints, Limits
from query_api.endpoints.prometheus import HighWater, families
from query_api.exchange import Endpoint
from query_api.exposition import Family
from query_api.issuer_door import IssuerDoor
from query_api.judge_report import JudgeReport
from query_api.judging import Clock, Judging, Pace
from query_api.pace import PaceLimits, Paces
from query_api.privacy_gauges import privacy_families
from query_api.routes import Handlers, table

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("finops", "ledger", "sql", "doors", "collector", "query_api", "standalone")
ENDPOINTS = table(Handlers(*(Mock() for _ in Handlers._fields)), "0")
ENDPOINT_NAMES = [f"{endpoint.method} {endpoint.path.replace(':text}', '}')}" for endpoint in ENDPOINTS]
API_PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")


def rows(page: str) -> list[list[str]]:
    """Cells of the page's table rows that begin with something in backquotes."""
    lines = (ROOT / "docs" / page).read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]


def quoted(text: str) -> set[str]:
    return set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text))


def settings_in_code() -> set[str]:
    """Every name of a setting in a text of the rooms' code."""
    found = {variable.name for variable in query_api.settings.VARIABLES.values()}
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(r"\bFINOPS_[A-Z0-9_]*[A-Z0-9]\b", node.value))
    return found


def test_the_settings_page_has_every_setting_and_no_other() -> None:
    assert {name for row in rows("settings.md") for name in quoted(row[0])} == settings_in_code()


def test_the_settings_page_has_the_defaults() -> None:
    defaults = {variable.name: variable.default for variable in collector.settings.variables().values()}
    defaults |= {variable.name: variable.default for variable in query_api.settings.VARIABLES.values()}
    defaults |= {variable.name: variable.default for variable in doors.issuer_settings.VARIABLES.values()}
    numbers = {name: value.replace("_", "") for name, value in defaults.items() if value[:1].isdigit()}
    shown = {row[0].strip("`| "): row[1].strip("`–") for row in rows("settings.md")}
    defaults |= numbers
    assert {name: shown.get(name) for name in defaults} == defaults


class Still:
    """A pass that does nothing."""

    name = "still"

    async def run(self, now: datetime) -> None: ...


async def judged() -> list[Family]:
    """What a process that has just become the judge tells."""
    judging = Judging(Mock(), [Still()], Pace(), Clock(lambda: datetime.now(UTC), lambda: 0.0))
    judging.leads_since = 0.0
    return await JudgeReport(judging).families(Mock())


async def exported() -> list[Family]:
    """What the exports and the pace of requests tell."""
    paced = await Paces(PaceLimits(1, 1), lambda: 0.0).families(Mock())
    return paced + await ExportEndpoints(Mock(), Mock(), Limits(1, 1, 1.0)).families(Mock())


async def alerted() -> list[Family]:
    """What is told of alerts while some fire and some wait."""
    counts = AlertCounts([("anomaly", "warning", 1)], [("slack", "waiting", 1, 2.0)])
    history = Mock(counts=AsyncMock(return_value=counts))
    delivered = Mock(attempts={("slack", "sent"): 1}, given_up=1)
    return await AlertEndpoints(history, Mock(), delivered).families(Mock(grant=Grant("g", frozenset())))


def test_the_metrics_page_has_every_metric_and_no_other() -> None:
    own = {family.name for family in collector.metrics.TABLE}
    issuer = IssuerDoor(Mock(keys=MagicMock(age_seconds=0.0)), Counter(), 10)
    printed = asyncio.run(issuer.families(None)) + families(Lifetime([], 0, 0, 0, 0, 0), HighWater())
    printed += [family for others in (judged(), exported(), alerted()) for family in asyncio.run(others)]
    printed += burn_families(BurnGauges([AgentBurn("", "", 0)], [("", "", "warning", 1)]), 600)
    budget = Standing(a_budget(), "", Span(NOW, NOW), 1, Spend())
    printed += gauges([[budget]], 1) + privacy_families(PrivacyState(0, 0))
    served = {family.name + sample.suffix for family in printed for sample in family.samples}
    served |= {f"{family.name}_total" for family in printed if family.kind == "counter"}
    assert {name for row in rows("metrics.md") for name in quoted(row[0])} == own | served


def test_the_metrics_page_has_the_labels() -> None:
    shown = {row[0].strip("`| "): quoted(row[3]) for row in rows("metrics.md")}
    assert {family.name: set(family.labels) for family in collector.metrics.TABLE}.items() <= shown.items()


def test_the_api_page_has_every_path_and_no_other() -> None:
    shown = re.findall(r"`((?:GET|PUT|POST|DELETE) /[^` ]*)`", API_PAGE)
    assert set(shown) - {"POST /v1/traces"} == set(ENDPOINT_NAMES)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ENDPOINT_NAMES)
def test_the_api_page_has_every_parameter_and_field(endpoint: Endpoint) -> None:
    name = f"{endpoint.method} {endpoint.path.replace(':text}', '}')}"
    headings = re.split(r"^### ", API_PAGE, flags=re.MULTILINE)
    section = next((part for part in headings if part.startswith(f"`{name}`")), "")
    assert {parameter.name for parameter in endpoint.parameters} <= quoted(section)
    properties = (endpoint.body or {}).get("properties", {})
    assert isinstance(properties, dict)
    fields = set(properties) | {field.name for field in (endpoint.answer.fields if endpoint.answer else ())}
    assert fields <= quoted(API_PAGE) | set(re.findall(r'"(\w+)":', API_PAGE))
