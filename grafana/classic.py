"""A board's description to Grafana's classic dashboard JSON (schema 42), which Grafana 10 to 13 load as it is.

A board is TOML: title, variables, and panels with their SQL (over documented views) or PromQL. Panels are laid out from
left to right in 24 columns; nothing here knows what they show.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

COLUMNS: Final = 24
SCHEMA_VERSION: Final = 42
DATASOURCES: Final = {
    "ledger": {"type": "grafana-postgresql-datasource", "uid": "${ledger}"},
    "prometheus": {"type": "prometheus", "uid": "${prometheus}"},
}
KINDS: Final = {"stat": "stat", "lines": "timeseries", "bars": "timeseries", "table": "table", "ranking": "barchart"}
TAG: Final = "agent-finops"


def dashboard(name: str, board: Mapping[str, Any]) -> dict[str, Any]:
    """The dashboard of a board; ``name`` is the file's, and becomes the identity by which links and updates find it."""
    return {
        "uid": f"finops-{name}",
        "title": board["title"],
        "description": board["text"],
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": board.get("timezone", "utc"),
        "refresh": board.get("refresh", "1m"),
        "time": {"from": board.get("from", "now-7d"), "to": "now"},
        "templating": {"list": [*_sources(board), *map(_variable, board.get("variable", ()))]},
        "links": [_link()],
        "annotations": {"list": []},
        "panels": list(_panels(board["panel"])),
    }


def _link() -> dict[str, Any]:
    return {
        "type": "dashboards", "title": "Agent FinOps", "tags": [TAG], "asDropdown": True, "includeVars": True,
        "keepTime": True, "icon": "external link", "targetBlank": False, "tooltip": "", "url": "",
    }  # fmt: skip


def _sources(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A variable a kind of datasource in use, so that a dashboard finds the one there is."""
    used = {panel["source"] for panel in board["panel"]}
    if board.get("variable"):
        used.add("ledger")
    for source in sorted(used):
        yield {
            "name": source, "label": source.capitalize(), "type": "datasource", "query": DATASOURCES[source]["type"],
            "refresh": 1, "regex": "", "hide": 0, "multi": False, "includeAll": False,
        }  # fmt: skip


def _variable(variable: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": variable["name"], "label": variable["label"], "type": "query", "datasource": DATASOURCES["ledger"],
        "query": variable["sql"].strip(), "definition": variable["sql"].strip(), "refresh": 2, "regex": "", "sort": 1,
        "multi": True, "includeAll": True, "hide": 0, "current": {"text": ["All"], "value": ["$__all"]},
    }  # fmt: skip


def _panels(panels: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    x = y = row_height = 0
    for number, panel in enumerate(panels, start=1):
        width, height = panel.get("width", 12), panel.get("height", 8)
        if x + width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        yield _panel(number, panel, {"x": x, "y": y, "w": width, "h": height})
        x, row_height = x + width, max(row_height, height)


def _panel(number: int, panel: Mapping[str, Any], place: Mapping[str, int]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": number,
        "title": panel["title"],
        "description": panel.get("text", ""),
        "type": KINDS[panel["kind"]],
        "gridPos": place,
        "datasource": DATASOURCES[panel["source"]],
        "targets": list(_targets(panel)),
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(_overrides(panel))},
        "options": _options(panel["kind"]),
    }
    if "last" in panel:
        made["timeFrom"] = panel["last"]
    return made


def _targets(panel: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    source = DATASOURCES[panel["source"]]
    if panel["source"] == "ledger":
        moving = panel["kind"] in {"lines", "bars"}
        yield {
            "refId": "A", "datasource": source, "rawQuery": True, "editorMode": "code", "rawSql": panel["sql"].strip(),
            "format": "time_series" if moving else "table",
        }  # fmt: skip
        return
    for letter, (expression, legend) in zip("ABCDEFGH", panel["promql"], strict=False):
        instant = panel["kind"] in {"stat", "table", "ranking"}
        yield {
            "refId": letter, "datasource": source, "expr": expression, "legendFormat": legend, "instant": instant,
            "range": not instant, "format": "table" if panel["kind"] == "table" else "time_series",
        }  # fmt: skip


def _defaults(panel: Mapping[str, Any]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.get("unit", "short"), "noValue": "–"}
    if "decimals" in panel:
        defaults["decimals"] = panel["decimals"]
    if "warn_above" in panel:
        steps = [{"color": "green", "value": None}, {"color": "orange", "value": panel["warn_above"]}]
        defaults |= {"thresholds": {"mode": "absolute", "steps": steps}, "color": {"mode": "thresholds"}}
    elif panel["kind"] == "stat":
        defaults["color"] = {"mode": "fixed", "fixedColor": "text"}
    if panel["kind"] in {"lines", "bars"}:
        bars = panel["kind"] == "bars"
        defaults["custom"] = {
            "drawStyle": "bars" if bars else "line", "fillOpacity": 80 if bars else 8, "lineWidth": 0 if bars else 2,
            "showPoints": "never", "stacking": {"mode": "normal" if bars else "none", "group": "A"},
        }  # fmt: skip
    return defaults


def _overrides(panel: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, unit in panel.get("units", {}).items():
        yield {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
    for name, address in panel.get("drill", {}).items():
        link = {"title": "More", "url": address}
        yield {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "links", "value": [link]}]}


def _options(kind: str) -> dict[str, Any]:
    if kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "graphMode": "none"}
    if kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    if kind == "ranking":
        return {"orientation": "horizontal", "showValue": "auto", "legend": {"showLegend": False}}
    summed = "sum" if kind == "bars" else "lastNotNull"
    return {
        "legend": {"displayMode": "table", "placement": "right", "calcs": [summed]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }  # fmt: skip
