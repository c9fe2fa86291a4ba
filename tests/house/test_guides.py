"""The guides say what the code says: attributes that are read, flags and reasons that exist, a runbook an alert."""

import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from collector.dialects_table import LOG_EVENTS, RESOURCE_KEYS, dialect_keys
from finops import offers

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RULES = ROOT / "helm" / "agent-finops" / "files" / "alert-rules.yaml"
SERVICE_RULES = ROOT / "helm" / "agent-finops" / "templates" / "monitors.yaml"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
ATTRIBUTE = re.compile(r"[a-z_]+(?:\.[A-Za-z_0-9]+)+(?:\.\*)?")
NO_ATTRIBUTES = re.compile(r".*\.(?:py|md|js|mjs|json|toml|yaml)|litellm\.callbacks|logfire\..*|openlit\.init.*")


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)))


def anchors(page: Path) -> set[str]:
    """What a link into the page may name, as forges make it of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def alerts() -> list[str]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    common = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    return common + re.findall(r"- alert: (\w+)", SERVICE_RULES.read_text("utf-8"))


def test_every_attribute_that_agents_are_told_to_send_is_read() -> None:
    page = (DOCS / "send-your-agents.md").read_text("utf-8")
    told = {word for word in quoted(page) if ATTRIBUTE.fullmatch(word) and not NO_ATTRIBUTES.fullmatch(word)}
    told |= set(re.findall(r"(?:=|,)(finops\.\w+|deployment\.\w+\.\w+)=", page))
    read = dialect_keys() | {key for keys in RESOURCE_KEYS.values() for key in keys}
    read |= {event.name for event in LOG_EVENTS}
    prefixes = tuple(word.removesuffix("*") for word in told if word.endswith("*"))
    assert len(told) > 30
    assert {word for word in told if word not in read and not word.endswith("*")} == set()
    assert all(any(key.startswith(prefix) for key in read) for prefix in prefixes)


@pytest.mark.parametrize("page", sorted(DOCS.glob("coming-from-*.md")), ids=lambda page: page.stem)
def test_every_attribute_of_another_tool_that_a_page_says_is_taken_is_read(page: Path) -> None:
    table = page.read_text("utf-8").split("## What is called what")[1].split("\n## ")[0]
    theirs = {word for line in table.splitlines() for word in quoted(line.split(" | ")[0])}
    told = {word for word in theirs if ATTRIBUTE.fullmatch(word) and not NO_ATTRIBUTES.fullmatch(word)}
    assert len(told) > 1
    assert told - dialect_keys() - {key for keys in RESOURCE_KEYS.values() for key in keys} == set()


def test_every_reason_for_a_missing_price_is_explained() -> None:
    told = quoted((DOCS / "reading-the-numbers.md").read_text("utf-8"))
    reasons = {offers.NO_MODEL, offers.UNKNOWN_MODEL, offers.NO_USAGE}
    reasons |= {offers.PROVIDER_AMBIGUOUS, offers.NOT_BY_TOKENS, offers.IMPLAUSIBLE_COST}
    assert reasons <= told


def test_every_flag_that_is_explained_is_set_somewhere() -> None:
    page = (DOCS / "reading-the-numbers.md").read_text("utf-8")
    table = page.split("| flag | means |")[1].split("\n\n")[0]
    flags = {flag for line in table.splitlines() for flag in quoted(line.split(" | ")[0])}
    rooms = (ROOT / "finops", ROOT / "collector")
    code = "".join(path.read_text("utf-8") for room in rooms for path in room.rglob("*.py"))
    assert len(flags) > 5
    assert {flag for flag in flags if f'"{flag}"' not in code} == set()


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    page = (DOCS / "runbooks.md").read_text("utf-8")
    assert re.findall(r"^## (\w+)$", page, flags=re.MULTILINE) == alerts()


@pytest.mark.parametrize("alert", alerts())
def test_a_runbook_says_what_it_means_what_to_do_and_when_it_ends(alert: str) -> None:
    page = (DOCS / "runbooks.md").read_text("utf-8")
    section = page.split(f"## {alert}\n")[1].split("\n## ")[0]
    assert "**Means.**" in section
    assert re.search(r"\*\*(Look|Do)\b", section, re.IGNORECASE)


def test_runbooks_that_rules_link_to_are_sections_of_the_page() -> None:
    links = re.findall(r"runbooks\.md#([\w-]+)", RULES.read_text("utf-8"))
    assert set(links) <= anchors(DOCS / "runbooks.md")


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_a_page_names_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text("utf-8"))
    wrong = [link for link in links if link[1] not in anchors(page.parent / link[0] if link[0] else page)]
    assert wrong == []
