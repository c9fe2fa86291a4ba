"""Senders to either OTLP door, a program of its own, so that what they cost is not the receiver's.

Arguments: a JSON object {door, port, headers, spans, shape, senders, seconds, seed, ids}. Each sender sends when its
last export was answered; all stop after ``seconds``, or as soon as nobody listens any more. Prints ``made``, waits for
a line, sends, prints ``under way`` when each could have been answered once, and one JSON object: acknowledged spans,
refusals by kind, and the seconds from the first export to the last answer. ``ids`` names a file for the span ids of
what was acknowledged, 8 bytes each.
"""

import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.ingest_traffic import Template

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TIMEOUT_S = 60
Send = Callable[[bytes], str]
"""Sends one export; nothing when it was acknowledged, else the kind of refusal."""


def grpc_sender(port: int, headers: dict[str, str]) -> Send:
    """A channel of its own."""
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
    call = channel.unary_unary(EXPORT)
    metadata = [(key.lower(), value) for key, value in headers.items()]

    def send(body: bytes) -> str:
        try:
            call(body, timeout=TIMEOUT_S, metadata=metadata)
        except grpc.RpcError as refused:
            return str(refused.code().name)
        return ""

    return send


def http_sender(port: int, headers: dict[str, str]) -> Send:
    """A connection of its own, kept alive where the peer allows it."""
    said = {**headers, "Content-Type": "application/x-protobuf"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def send(body: bytes) -> str:
        try:
            connection.request("POST", "/v1/traces", body, said)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as failed:
            connection.close()
            return type(failed).__name__
        return "" if answer.status < 300 else f"HTTP {answer.status}"

    return send


def sender(door: str, port: int, headers: dict[str, str]) -> Send:
    """For either door."""
    return grpc_sender(port, headers) if door == "grpc" else http_sender(port, headers)


class Load:
    """All senders, and what they saw."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self._templates = [
            Template(asked["spans"], asked["shape"], asked["seed"] + number) for number in range(asked["senders"])
        ]
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.kept: list[bytes] = []
        self.last = 0.0

    def run(self) -> float:
        """Sends; the seconds from the first export to the last answer."""
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._in_turn, args=(number, began + self._asked["seconds"]))
            for number in range(self._asked["senders"])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.last - began

    def _in_turn(self, number: int, until: float) -> None:
        asked = self._asked
        template = self._templates[number]
        send = sender(asked["door"], asked["port"], asked["headers"])
        gone = 0
        while time.monotonic() < until and gone < 5:
            body = template.export()
            refused = send(body)
            with self._lock:
                self.counts[refused or "acknowledged"] += template.spans
                if not refused:
                    if self.counts["acknowledged"] == asked["spans"] * asked["senders"]:
                        print("under way", flush=True)
                    self.last = time.monotonic()
                    if asked.get("ids"):
                        self.kept.append(body)
            gone = gone + 1 if refused else 0
            if refused:
                time.sleep(0.1)


def main(asked: dict[str, Any]) -> None:
    load = Load(asked)
    print("made", flush=True)
    sys.stdin.readline()
    seconds = load.run()
    if load.counts["acknowledged"] < asked["spans"] * asked["senders"]:
        print("under way", flush=True)
    if asked.get("ids"):
        requests = map(ExportTraceServiceRequest.FromString, load.kept)
        ids = (s.span_id for r in requests for g in r.resource_spans for c in g.scope_spans for s in c.spans)
        Path(asked["ids"]).write_bytes(b"".join(ids))
    refused = {kind: count for kind, count in load.counts.items() if kind != "acknowledged"}
    print(json.dumps({"acknowledged": load.counts["acknowledged"], "refused": refused, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
