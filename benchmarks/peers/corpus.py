"""How right each tool's numbers are: recordings of real instrumentation libraries, sent to each as they were recorded.

    PYTHONPATH=tests python -m benchmarks.peers.corpus [--only WORD ...] --into FOLDER

A recording knows what its model server billed. Each tool gets all of them three times: as recorded; the same bytes once
more, as a retry or a restarted exporter sends them; and, into an empty database, every span in an export of its own in
the opposite order, as late children and slow networks deliver them. Recordings are moved to the present first, one a
minute, since some tools refuse or clean up what is old. Totals of tokens and money are read from each tool's own
database, trace by trace, in the way its own pages add them up, and written to ``FOLDER`` as JSON;
`benchmarks.peers.verdicts` judges them.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from corpus_loader import Scenario, scenarios
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.ingest import server
from benchmarks.peers.__main__ import started, wanted
from benchmarks.peers.described import Peer
from benchmarks.peers.running import OUR_SPANS, OUR_TOTALS, OURS, Running
from benchmarks.peers.senders import sender

DRAIN_S = 180
QUIET_S = 15
"""Without a new span this long, a tool has stored all that it will."""
APART_NS = 60 * 10**9
"""Their calls have the same few numbers on purpose, so two of them at the same moment could be taken for one."""
Export = ExportTraceServiceRequest


class Moved(NamedTuple):
    """A recording at a time of its own."""

    id: str
    exports: tuple[Export, ...]
    traces: frozenset[str]


def moved(scenario: Scenario, ends: int) -> Moved:
    """Every time of a recording shifted alike, so that its last span ends then (nanoseconds)."""
    exports = tuple(Export.FromString(body) for body in scenario.traces)
    spans = [span for export in exports for span in _spans(export)]
    shift = ends - max((span.end_time_unix_nano for span in spans), default=ends)
    for span in spans:
        span.start_time_unix_nano += shift
        span.end_time_unix_nano += shift
        for event in span.events:
            event.time_unix_nano += shift
    return Moved(scenario.id, exports, frozenset(span.trace_id.hex() for span in spans))


def _spans(export: Export) -> Iterator[Any]:
    return (span for group in export.resource_spans for scope in group.scope_spans for span in scope.spans)


def alone(exports: Iterable[Export]) -> list[Export]:
    """Every span in an export of its own, the last first."""
    found = []
    for export in exports:
        for group in export.resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    one = Export()
                    lone = one.resource_spans.add(resource=group.resource, schema_url=group.schema_url)
                    lone.scope_spans.add(scope=scope.scope, schema_url=scope.schema_url).spans.append(span)
                    found.append(one)
    return found[::-1]


def told(running: Running, exports: Iterable[Export], spans: str, expected: int) -> dict[str, int]:
    """Sends, then waits until all is stored; refusals by kind."""
    send = sender(running.door, running.port, running.headers)
    refused: dict[str, int] = {}
    for export in exports:
        if kind := send(export.SerializeToString()):
            refused[kind] = refused.get(kind, 0) + 1
    began = changed = time.monotonic()
    stored = -1
    while stored < expected:
        found, now = len(running.store.rows(spans)), time.monotonic()
        if found != stored:
            stored, changed = found, now
        if now - changed > QUIET_S or now - began > DRAIN_S:
            break
        time.sleep(1)
    return refused


def totals(running: Running, peer: Peer | None, recordings: Iterable[Moved]) -> dict[str, list[float | None]]:
    """By recording: input, output, cached, cache-written tokens, cost; None where nothing was said."""
    question = OUR_TOTALS if peer is None else peer.totals
    assert question is not None
    by_trace = {str(row[0]): row[1:] for row in running.store.rows(question)}
    found = {}
    for recording in recordings:
        rows = [by_trace[trace] for trace in recording.traces if trace in by_trace]
        columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [()] * 5
        found[recording.id] = [_sum(column) for column in columns]
    return found


def _sum(column: tuple[Any, ...]) -> float | None:
    values = [float(value) for value in column if value is not None]
    return sum(values) if values else None


def passes(peer: Peer | None, bins: dict[str, Path], at: tuple[str, list[int]]) -> dict[str, Any]:
    """The three deliveries of one tool."""
    now, known = time.time_ns(), scenarios()
    recordings = [moved(scenario, now - (len(known) - at_) * APART_NS) for at_, scenario in enumerate(known)]
    as_recorded = [export for recording in recordings for export in recording.exports]
    apart = alone(as_recorded)
    spans = OUR_SPANS if peer is None else peer.spans
    found: dict[str, Any] = {}
    for deliveries in ({"recorded": as_recorded, "again": as_recorded}, {"backwards": apart}):
        with tempfile.TemporaryDirectory(prefix="agent-finops-peer-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            with started(peer, bins, folder, at) as running:
                for delivery, exports in deliveries.items():
                    found[f"{delivery} refused"] = told(running, exports, spans, len(apart))
                    found[delivery] = totals(running, peer, recordings)
    return found


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Compare totals on recordings.")
    parser.add_argument("--only", action="append", default=[], help="those whose name has this word")
    parser.add_argument("--into", type=Path, required=True, help="a folder for what each tool said")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked.into.mkdir(parents=True, exist_ok=True)
    peers, bins = wanted(asked.only)
    with server(None) as at:
        ours = [None] if not asked.only or any(word.lower() in OURS for word in asked.only) else []
        for peer in (*ours, *(peer for peer in peers if peer.totals)):
            name = OURS if peer is None else peer.name
            began = time.monotonic()
            (asked.into / f"{name}.json").write_text(json.dumps(passes(peer, bins, at)))
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
