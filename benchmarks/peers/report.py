"""Results of runs as one table: medians, and how many times as fast this service was in the same runs."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.peers.described import PEERS
from benchmarks.peers.running import OURS

HEAD = (
    "| | runs | acknowledged/s | stored/s | ours over it | not stored in time | us a span: own, database "
    "| RSS peak MiB | kill -9: acknowledged, lost |"
)


def table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown. The ratio compares spans stored a second: the median of ours over the median of the peer's."""
    loads = _by_peer(result for result in results if result["kind"] == "load")
    kills = _by_peer(result for result in results if result["kind"] == "kill")
    ours = _median(loads.get(OURS, []), "stored_per_second")
    lines = [HEAD, "|---|---|---|---|---|---|---|---|---|"]
    for name in dict.fromkeys([*loads, *kills]):
        runs = loads.get(name, [])
        stored = _median(runs, "stored_per_second")
        waiting = sum(max(0, run["acknowledged"] - run["stored"]) for run in runs)
        lines.append(
            f"| {name} | {len(runs)} | {_number(_median(runs, 'acknowledged_per_second'))} | {_number(stored)} "
            f"| {_ratio(ours, stored)} | {waiting:,} of {sum(run['acknowledged'] for run in runs):,} "
            f"| {_number(_median(runs, 'own_us'))}, {_number(_median(runs, 'database_us'))} "
            f"| {_number(_median(runs, 'peak_mib'))} "
            f"| {'; '.join(_lost(kill) for kill in kills.get(name, []))} |"
        )
    told = {peer.name: peer.keeps for peer in PEERS if peer.name in loads or peer.name in kills}
    return "\n".join([*lines, "", *(f"{name} stores beside what we store: {keeps}." for name, keeps in told.items())])


def _by_peer(results: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        found.setdefault(result["peer"], []).append(result)
    return found


def _lost(kill: dict[str, Any]) -> str:
    return f"{kill['acknowledged']:,}, {kill['lost']:,}"


def _median(runs: Sequence[dict[str, Any]], key: str) -> float | None:
    values = [run[key] for run in runs if run[key] is not None]
    return statistics.median(values) if values else None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:,.1f}" if ours and theirs else "–"
