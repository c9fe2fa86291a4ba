"""Peers and this service side by side on the same bytes: acknowledged, stored, what it costs, and what a kill -9 loses.

    python -m benchmarks.peers [--only WORD ...] [--runs 1] [--seconds 8] [--shape bare|attr|event] [--no-kill]
                               [--no-load] [--compiled] [--into FILE] [--report FILE ...]

Runs are interleaved: each round takes every peer once, ours among them. Every figure of a peer is read from its own
database after it had time to drain. ``--into`` appends each result as a JSON line, so that many short measurements
become one report; ``--report`` prints the table of such files and measures nothing. A peer that cannot be installed is
skipped, with the reason.
"""

import argparse
import base64
import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.ingest import ROOT, server
from benchmarks.peers.described import PEERS, Peer
from benchmarks.peers.installed import CannotInstall, installed
from benchmarks.peers.report import table
from benchmarks.peers.running import OUR_SPANS, OURS, Running, ours_running, peer_running

SPANS = 512
SENDERS = 8
DRAIN_S = 15
"""How long a peer that acknowledged more than it stored may go on."""
KILL_AFTER_S = 2
"""After as many exports were acknowledged as there are senders."""


def started(
    peer: Peer | None, bins: dict[str, Path], folder: Path, at: tuple[str, list[int]], *, compiled: bool = False
) -> AbstractContextManager[Running]:
    """The peer, or this service for None."""
    pid = at[1][0] if at[1] else None
    if peer is None:
        return ours_running(at[0], pid, ROOT / "build" / "compiled" if compiled else ROOT)
    return peer_running(peer, bins[peer.tool.name], folder, at[0], pid)


def senders(running: Running, asked: argparse.Namespace, seconds: float, seed: int, ids: Path | None) -> Any:
    """The senders' process, ready to go."""
    words = {
        "door": running.door,
        "port": running.port,
        "headers": running.headers,
        "spans": SPANS,
        "shape": asked.shape,
        "senders": SENDERS,
        "seconds": seconds,
        "seed": seed,
        "ids": str(ids) if ids else None,
    }
    command = [sys.executable, "-m", "benchmarks.peers.senders", json.dumps(words)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "made\n"
    return process


def measure(peer: Peer | None, running: Running, asked: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One run of load and drain."""
    process = senders(running, asked, asked.seconds, seed, None)
    before = running.used_seconds()
    began = time.monotonic()
    said = json.loads(process.communicate("go\n")[0].splitlines()[-1])
    sent_for = max(said["seconds"], 1e-9)
    spans = OUR_SPANS if peer is None else peer.spans
    stored, took = drained(running, spans, said["acknowledged"], began)
    after, peak = running.used_seconds(), running.peak_mib()
    running.stop()
    return {
        "peer": running.name,
        "kind": "load",
        "acknowledged": said["acknowledged"],
        "refused": said["refused"],
        "stored": stored,
        "acknowledged_per_second": said["acknowledged"] / sent_for,
        "stored_per_second": stored / max(took, sent_for),
        "own_us": (after[0] - before[0]) / stored * 1e6 if stored else None,
        "database_us": (after[1] - before[1]) / stored * 1e6 if stored else None,
        "peak_mib": peak,
    }


def drained(running: Running, spans: str, acknowledged: int, began: float) -> tuple[int, float]:
    """Spans in its database when all were there or its time was up, and the seconds from the first export to then."""
    ended = time.monotonic()
    while True:
        stored = len(set(running.store.rows(spans)))
        now = time.monotonic()
        if stored >= acknowledged or now - ended > DRAIN_S:
            return stored, now - began
        time.sleep(0.5)


def killed(peer: Peer | None, running: Running, asked: argparse.Namespace, seed: int, folder: Path) -> dict[str, Any]:
    """Kill -9 under load; what had been acknowledged and is nowhere in its database."""
    ids = folder / "acknowledged.bin"
    process = senders(running, asked, KILL_AFTER_S + 60, seed, ids)
    process.stdin.write("go\n")
    process.stdin.flush()
    process.stdout.readline()
    time.sleep(KILL_AFTER_S)
    running.kill()
    said = json.loads(process.communicate()[0])
    raw = ids.read_bytes()
    acknowledged = {raw[at : at + 8].hex() for at in range(0, len(raw), 8)}
    kept = {hexadecimal(str(row[0])) for row in running.store.rows(OUR_SPANS if peer is None else peer.spans)}
    lost = len(acknowledged - kept)
    return {"peer": running.name, "kind": "kill", "acknowledged": said["acknowledged"], "lost": lost}


def hexadecimal(span_id: str) -> str:
    """Of an id as peers write it: in hex, or in base64."""
    return span_id if len(span_id) == 16 else base64.b64decode(span_id).hex()


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure peers on the same bytes.")
    parser.add_argument("--only", action="append", default=[], help="peers whose name has this word; ours always runs")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--shape", choices=("bare", "attr", "event"), default="bare")
    parser.add_argument("--no-kill", action="store_true")
    parser.add_argument("--no-load", action="store_true")
    parser.add_argument("--compiled", action="store_true", help="ours: the modules of `make compiled`")
    parser.add_argument("--into", type=Path)
    parser.add_argument("--report", type=Path, nargs="+")
    asked = parser.parse_args()
    if asked.report:
        print(table([json.loads(line) for file in asked.report for line in file.read_text().splitlines()]))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that whatever was started is ended, too
    peers, bins = wanted(asked.only)
    results = []
    with server(None) as at:
        for number in range(asked.runs):
            for peer in (None, *peers):
                for result in one(peer, bins, at, asked, number * 100):
                    results.append(result)
                    print(json.dumps(result), flush=True)
                    if asked.into:
                        with asked.into.open("a") as out:
                            out.write(json.dumps(result) + "\n")
    print(table(results))
    return 0


def wanted(only: list[str]) -> tuple[list[Peer], dict[str, Path]]:
    """The peers that could be installed, and where."""
    peers, bins = [], {}
    for peer in PEERS:
        if only and not any(word.lower() in peer.name.lower() for word in only):
            continue
        try:
            bins[peer.tool.name] = installed(peer.tool)
        except CannotInstall as reason:
            print(f"{peer.name}: skipped, {reason}", file=sys.stderr)
            continue
        print(f"{peer.name}: {', '.join(peer.tool.packages)}, Python {peer.tool.python}")
        peers.append(peer)
    return peers, bins


def one(
    peer: Peer | None, bins: dict[str, Path], at: tuple[str, list[int]], asked: argparse.Namespace, seed: int
) -> list[dict[str, Any]]:
    """The load, then the kill, each from an empty folder; a peer that fails is told and left out."""
    found = []
    for kind in [*([] if asked.no_load else ["load"]), *([] if asked.no_kill else ["kill"])]:
        with tempfile.TemporaryDirectory(prefix="agent-finops-peer-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            try:
                with started(peer, bins, folder, at, compiled=asked.compiled) as running:
                    if kind == "load":
                        found.append(measure(peer, running, asked, seed))
                    else:
                        found.append(killed(peer, running, asked, seed + 50, folder))
            except Exception as failed:
                print(f"{peer.name if peer else OURS}: {kind} failed: {failed}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
