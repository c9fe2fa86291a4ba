"""What an export is answered with, in OTLP's own codes, for both doors: one table, no other module names a code.

A sender drops its data on INVALID_ARGUMENT, UNKNOWN and INTERNAL and keeps it on UNAVAILABLE, so everything that
trying again could heal is UNAVAILABLE with a delay. Messages are written here by hand (three small fields each), so
that answering needs no generated code.
"""

import json
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

MESSAGE_CHARACTERS_MAX = 512
RETRY_MS_MIN = 1000
RETRY_MS_MAX = 2000
_RETRY_INFO_TYPE = "type.googleapis.com/google.rpc.RetryInfo"


class Encoding(Enum):
    """How a body is written; the value is its content type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


class Signal(Enum):
    """What an export carries. The value is the word in paths and labels."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


_REJECTED = {
    Signal.TRACES: "rejectedSpans",
    Signal.LOGS: "rejectedLogRecords",
    Signal.METRICS: "rejectedDataPoints",
}


class Outcome(Enum):
    """What became of one export: metric label, gRPC code, HTTP status, and whether trying again can help."""

    ACCEPTED = ("accepted", 0, 200, False)
    PARTIAL = ("partial", 0, 200, False)
    IGNORED = ("ignored", 0, 200, False)
    UNDECODABLE = ("undecodable", 3, 400, False)
    BAD_TYPE = ("bad_type", 3, 415, False)
    SLOW = ("slow", 4, 408, False)
    TOO_LARGE = ("too_large", 8, 413, False)
    NO_SUCH_PATH = ("no_such_path", 12, 404, False)
    NO_SUCH_METHOD = ("no_such_method", 12, 405, False)
    FULL = ("full", 14, 429, True)
    UNAVAILABLE = ("unavailable", 14, 503, True)
    UNAUTHENTICATED = ("unauthenticated", 16, 401, False)

    def __init__(self, label: str, grpc: int, http: int, retryable: bool) -> None:
        self.label = label
        self.grpc = grpc
        self.http = http
        self.retryable = retryable


class Answer(NamedTuple):
    """The answer to one export, before a transport writes it."""

    outcome: Outcome
    message: str = ""
    """English, short, never content of a span."""
    rejected: int = 0
    """Spans refused while their neighbours were kept."""
    retry_ms: int = 0
    """Not before so many milliseconds; 0 unless the outcome is retryable."""


class Answers:
    """Makes answers; holds the randomness that spreads retries over 1 to 2 seconds."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random

    def retry(self, outcome: Outcome, message: str) -> Answer:
        """An answer that asks the sender to keep its data and come back."""
        delay = RETRY_MS_MIN + round(self._random() * (RETRY_MS_MAX - RETRY_MS_MIN))
        return Answer(outcome, message[:MESSAGE_CHARACTERS_MAX], retry_ms=delay)


def refuse(outcome: Outcome, message: str) -> Answer:
    """A final refusal: sending the same again would be refused again."""
    return Answer(outcome, message[:MESSAGE_CHARACTERS_MAX])


def accept(rejected: int = 0, message: str = "") -> Answer:
    """Everything that could be believed is durable; ``rejected`` spans could not be believed."""
    return Answer(Outcome.PARTIAL if rejected else Outcome.ACCEPTED, message[:MESSAGE_CHARACTERS_MAX], rejected)


def render_success(answer: Answer, encoding: Encoding, signal: Signal) -> bytes:
    """The response message of ``signal``; on the wire they are all alike. No partial_success without rejections."""
    if encoding is Encoding.JSON:
        partial = {_REJECTED[signal]: str(answer.rejected), "errorMessage": answer.message}
        return json.dumps({"partialSuccess": partial} if answer.rejected else {}).encode()
    if not answer.rejected:
        return b""
    return _field(1, _number(1, answer.rejected) + _text(2, answer.message))


def render_status(answer: Answer, encoding: Encoding) -> bytes:
    """The google.rpc.Status that is the body of an HTTP failure and the details of a gRPC one."""
    outcome = answer.outcome
    if encoding is Encoding.JSON:
        status: dict[str, object] = {"code": outcome.grpc, "message": answer.message}
        if outcome.retryable:
            status["details"] = [{"@type": _RETRY_INFO_TYPE, "retryDelay": f"{answer.retry_ms / 1000:.3f}s"}]
        return json.dumps(status).encode()
    details = b""
    if outcome.retryable:
        details = _field(3, _text(1, _RETRY_INFO_TYPE) + _field(2, render_retry_info(answer.retry_ms)))
    return _number(1, outcome.grpc) + _text(2, answer.message) + details


def render_retry_info(retry_ms: int) -> bytes:
    """google.rpc.RetryInfo with its one field, a Duration."""
    seconds, milliseconds = divmod(retry_ms, 1000)
    return _field(1, _number(1, seconds) + _number(2, milliseconds * 1_000_000))


def render_trailers(answer: Answer) -> tuple[tuple[str, bytes], ...]:
    """gRPC trailing metadata. Both forms of the delay: Collectors read the first, the Python SDK only the second."""
    if not answer.outcome.retryable:
        return ()
    return (
        ("grpc-status-details-bin", render_status(answer, Encoding.PROTOBUF)),
        ("google.rpc.retryinfo-bin", render_retry_info(answer.retry_ms)),
    )


def render_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """HTTP headers an outcome needs besides content type and length."""
    if answer.outcome.retryable:
        return [(b"retry-after", str(-(-answer.retry_ms // 1000)).encode())]
    if answer.outcome is Outcome.UNAUTHENTICATED:
        return [(b"www-authenticate", b"Bearer")]
    return [(b"allow", b"POST")] if answer.outcome is Outcome.NO_SUCH_METHOD else []


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _field(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text(field: int, text: str) -> bytes:
    return _field(field, text.encode()) if text else b""
