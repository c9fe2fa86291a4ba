"""The dashboards that are shipped are those that are described, over views and metrics that are there."""

import json
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grafana_macros
import pytest

from grafana.__main__ import DASHBOARDS, rendered

ROOT = Path(__file__).resolve().parents[2]
BOARDS = {name: json.loads(text) for name, text in rendered().items()}
PAGE = (ROOT / "docs" / "grafana.md").read_text("utf-8")


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            yield name, panel


def expressions() -> list[str]:
    return [target["expr"] for _, panel in panels() for target in panel["targets"] if "expr" in target]


def test_the_files_that_are_shipped_are_the_ones_described() -> None:
    shipped = {path.name: path.read_text("utf-8") for path in DASHBOARDS.glob("*.json")}
    assert shipped == rendered(), "run `python -m grafana`"


def test_panels_lie_side_by_side_and_have_numbers_of_their_own() -> None:
    for name, board in BOARDS.items():
        places = [panel["gridPos"] for panel in board["panels"]]
        cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
        assert len(cells) == len(set(cells)), name
        assert max(x for x, _ in cells) < 24
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_panels_read_documented_views_only() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    sql = [target["rawSql"] for _, panel in panels() for target in panel["targets"] if "rawSql" in target]
    read = {view for text in sql for view in re.findall(r"\b(?:from|join) ([a-z_0-9]+)", re.sub('"[^"]*"', "", text))}
    assert len(sql) > 20
    assert read <= documented


def test_every_dashboard_is_on_the_page() -> None:
    assert {f"`{name}`" for name in BOARDS} == set(re.findall(r"`[a-z]+\.json`", PAGE))


def test_what_is_asked_of_prometheus_is_exposed() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    names = {name for text in expressions() for name in re.findall(r"\b(?:finops|agent)_[a-z_]+(?=[\[\){ ])", text)}
    assert len(names) > 10
    assert {name for name in names if f"`{name.removesuffix('_bucket')}`" not in page} == set()


def test_promql_is_promql(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool (Debian's package prometheus) to read the expressions with")
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m")}
        for number, text in enumerate(expressions())
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("sql", "timescale", "sent"),
    [
        ("$__timeFilter(time)", False, "time BETWEEN '2026-03-01T00:00:00Z' AND '2026-03-02T00:00:00Z'"),
        ("$__timeGroupAlias(time, '1h')", True, "time_bucket('3600.000s',time) AS \"time\""),
        ("$__timeGroup(time,'5m')", False, "floor(extract(epoch from time)/300)*300"),
        ("a in (${org:sqlstring})", False, "a in ('x','it''s')"),
    ],
)
def test_macros_are_expanded_as_grafana_does(sql: str, timescale: bool, sent: str) -> None:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    assert grafana_macros.expand(sql, start, end, {"org": ["x", "it's"]}, timescale=timescale) == sent


def test_a_macro_that_grafana_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown macro"):
        grafana_macros.expand("$__timeBucket(a)", datetime.now(UTC), datetime.now(UTC), {}, timescale=False)


@pytest.mark.parametrize("name", BOARDS)
def test_nothing_of_a_dashboard_is_unknown_to_grafanas_own_types(name: str) -> None:
    assert list(differences(BOARDS[name], as_grafana_reads(BOARDS[name]))) == []


def test_a_misspelt_key_would_be_found() -> None:
    board = json.loads(json.dumps(BOARDS["overview.json"]))
    board["panels"][0]["titel"] = board["panels"][0].pop("title")
    assert list(differences(board, as_grafana_reads(board))) == [".panels.0.titel"]


def as_grafana_reads(board: Any) -> Any:
    """The board read into Grafana's own types, and written again."""
    pytest.importorskip("grafana_foundation_sdk", reason="Grafana's Foundation SDK is not installed: `make setup`")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # it would rather have dashboards that Grafana 10 cannot read
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.models import dashboard
    return json.loads(json.dumps(dashboard.Dashboard.from_json(json.loads(json.dumps(board))), cls=JSONEncoder))


def differences(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
    """Where something of ours is missing or another; what they add is theirs to say."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from differences(value, theirs.get(key), f"{at}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{at}.{number}")
    elif ours != theirs:
        yield at
