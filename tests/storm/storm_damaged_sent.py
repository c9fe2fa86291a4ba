"""Damaged exports at both doors of a real collector, while sound ones go on beside them.

Whatever is sent is answered with "fine", "cannot be read" or "too large", or is to be sent again; nothing is answered
with a fault of the collector's own, what arrived adds up, and the sound neighbours cost what they cost.
"""

import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import grpc
import httpx2
from corpus_loader import scenarios
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from storm.storm_damage import ODD_NUMBERS, damaged
from storm.storm_processes import Server
from storm.storm_run import Outcome, Plan, Storm
from storm.storm_senders import EXPORT, RETRYABLE

SENDERS = 4
PATHS = {"traces": EXPORT, "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export"}
MESSAGE_BYTES_MAX = 1 << 20
ATTEMPTS = 5
"""With an export that is to be sent again."""
ALLOWED = {"gRPC OK", "gRPC INVALID_ARGUMENT", "gRPC RESOURCE_EXHAUSTED", "HTTP 200", "HTTP 400", "HTTP 413"}
AGAIN = {f"gRPC {code.name}" for code in RETRYABLE} | {"HTTP 429", "HTTP 503"}
ODD_VALUES: tuple[Any, ...] = (None, True, -1, 1.5, 1e308, "", "\x00", "x" * 300, [], {}, [[]], *ODD_NUMBERS)
BODY_BYTES_MAX = 200_000


class DamageStorm(Storm):
    """A storm in which nothing is killed."""

    def __init__(self, postgres: Server, plan: Plan, directory: Path, seconds: float, seed: int | None = None) -> None:
        super().__init__(postgres, plan, directory, seed)
        self._seconds = seconds
        self.answers: Counter[str] = Counter()
        recorded = {
            "traces": [body for scenario in scenarios() for body in scenario.traces],
            "logs": [body for scenario in scenarios() for body in scenario.logs],
        }
        self._bodies = {
            signal: [body for body in bodies if len(body) < BODY_BYTES_MAX] for signal, bodies in recorded.items()
        }

    def rage(self) -> None:
        """Sends for ``seconds``."""
        (collector,) = self.collectors
        ends = time.monotonic() + self._seconds
        with (
            grpc.insecure_channel(collector.address) as channel,
            httpx2.Client(base_url=f"http://{collector.http}", timeout=30) as client,
            ThreadPoolExecutor(SENDERS) as pool,
        ):
            calls = {signal: channel.unary_unary(path) for signal, path in PATHS.items()}
            ways = (
                lambda signal, body: _by_grpc(calls[signal], body),
                lambda signal, body: _by_http(client, signal, body),
                _json_sender(client),
            )
            seeds = [self._chance.getrandbits(32) for _ in range(SENDERS)]
            for answers in pool.map(lambda seed: self._send_damaged(ways, seed, ends), seeds):
                self.answers += answers

    def _send_damaged(self, ways: tuple[Any, ...], seed: int, ends: float) -> Counter[str]:
        chance, answers = random.Random(seed), Counter[str]()
        while time.monotonic() < ends:
            signal, kind = chance.choice(("traces", "traces", "logs")), chance.random()
            if kind < 0.02:
                body = chance.randbytes(chance.randrange(400))
            elif kind < 0.03:
                body = bytes(MESSAGE_BYTES_MAX + 1)
            else:
                body = damaged(chance, chance.choice(self._bodies[signal]))
            way, answer = chance.choice(ways), ""
            for _ in range(ATTEMPTS):
                answer = way(signal, body)
                if answer not in AGAIN:
                    break
                time.sleep(0.1)  # as senders do
            answers[answer] += 1
        return answers

    def _outcome(self, said: dict[str, Any], statuses: list[int]) -> Outcome:
        """Of the sound ones; what was saved of the damaged ones belongs to other agents."""
        outcome = super()._outcome(said, statuses)
        own = [text for text in outcome.wrong if text.partition(":")[0] in said["truth"]]
        return outcome._replace(aliens=0, wrong=own)

    def faults(self, outcome: Outcome) -> list[str]:
        """Everything that must not be."""
        found = [f"answered {name}: {n}" for name, n in self.answers.items() if name not in ALLOWED]
        for path in self.directory.glob(f"collector-{self.seed}-*.log"):
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            found += [f"logged {line}" for line in lines if line["level"] == "error"][:3]
        return found + outcome.faults()

    def line(self) -> str:
        """For the table."""
        return "damaged exports: " + ", ".join(f"{name} {n}" for name, n in sorted(self.answers.items()))


def _by_grpc(call: Any, body: bytes) -> str:
    try:
        call(body, timeout=30)
    except grpc.RpcError as refused:
        return f"gRPC {refused.code().name}"
    return "gRPC OK"


def _by_http(client: httpx2.Client, signal: str, body: bytes, kind: str = "application/x-protobuf") -> str:
    answer = client.post(f"/v1/{signal}", content=body, headers={"Content-Type": kind})
    return f"HTTP {answer.status_code}"


def _json_sender(client: httpx2.Client) -> Any:
    def send(signal: str, body: bytes) -> str:
        chance = random.Random(body)
        return _by_http(client, signal, damaged_json(chance, signal, body), "application/json")

    return send


def damaged_json(chance: random.Random, signal: str, body: bytes) -> bytes:
    """The same export as OTLP/JSON, where it can be read, with odd values in it or cut off."""
    request = ExportTraceServiceRequest() if signal == "traces" else ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        return body
    tree = MessageToDict(request)
    for _ in range(chance.randint(1, 3)):
        _spoil(chance, tree)
    text = json.dumps(tree).encode()
    return text if chance.random() < 0.8 else text[: chance.randrange(len(text))]


def _spoil(chance: random.Random, tree: Any) -> None:
    """One value somewhere in the tree is another."""
    while isinstance(tree, (dict, list)) and tree:
        key = chance.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        if not isinstance(tree[key], (dict, list)) or not tree[key] or chance.random() < 0.1:
            tree[key] = deepcopy(chance.choice(ODD_VALUES))
            return
        tree = tree[key]
