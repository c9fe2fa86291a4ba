"""Whether exports are welcome, and the port that says so: GET /metrics, /health/live, /health/ready."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from collector.admission import Admission
from collector.metrics import LOOP_LAG, QUEUE_AGE, QUEUE_BYTES, QUEUE_REQUESTS, QUEUE_SPANS, READY, Metrics

LOOP_LAG_EVERY_SECONDS = 0.1
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"
_JSON = b"application/json"
Page = tuple[int, bytes, bytes]


class Readiness:
    """starting, then ready, and ledger_away while the ledger is silent; then draining, and never back."""

    def __init__(self) -> None:
        self.state = "starting"
        self._changed = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Exports are welcome."""
        return self.state == "ready"

    def become(self, state: str) -> None:
        """Enter ``state`` and tell everybody who watches."""
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()

    async def states(self) -> AsyncIterator[str]:
        """The state now and at every change; ends with draining."""
        while True:
            changed, state = self._changed, self.state
            yield state
            if state == "draining":
                return
            await changed.wait()


class SpoolState(Protocol):
    """Where exports wait on the local disk."""

    def state(self) -> dict[str, object]:
        """What the health page shows of it."""
        ...


class LedgerState(Protocol):
    """Whether the ledger answers, and whether it takes anything."""

    @property
    def silent_seconds(self) -> float:
        """Since it answered last."""
        ...

    @property
    def refusal(self) -> str | None:
        """Why it took nothing the last time."""
        ...


class HealthPages:
    """An ASGI application of three pages, on a port of its own."""

    def __init__(
        self,
        readiness: Readiness,
        admission: Admission,
        metrics: Metrics,
        ledger: LedgerState,
        spool: SpoolState | None = None,
    ) -> None:
        self._readiness = readiness
        self._ledger = ledger
        self._spool = spool
        self._admission = admission
        self._metrics = metrics
        metrics.watch(QUEUE_BYTES, lambda: admission.bytes)
        metrics.watch(QUEUE_SPANS, lambda: admission.spans)
        metrics.watch(QUEUE_REQUESTS, lambda: admission.requests)
        metrics.watch(QUEUE_AGE, lambda: admission.age_ns / 1e9)
        metrics.watch(READY, lambda: float(readiness.is_ready))

    async def __call__(
        self, scope: dict[str, Any], receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        status, content_type, body = self._page(scope["method"], scope["path"])
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _page(self, method: str, path: str) -> Page:
        pages: dict[str, Callable[[], Page]] = {
            "/metrics": lambda: (200, _TEXT, self._metrics.page()),
            "/health/live": lambda: (200, _JSON, b'{"status":"live"}'),
            "/health/ready": self._ready,
        }
        if path not in pages:
            return 404, _JSON, json.dumps({"pages": sorted(pages)}).encode()
        return pages[path]() if method in ("GET", "HEAD") else (405, _JSON, b'{"allow":"GET"}')

    def _ready(self) -> Page:
        admission, limits = self._admission, self._admission.limits
        queue = {
            "bytes": admission.bytes,
            "bytesMax": limits.bytes,
            "spans": admission.spans,
            "spansMax": limits.spans,
            "requests": admission.requests,
            "requestsMax": limits.requests,
            "ageMs": admission.age_ns // 1_000_000,
            "ageMsMax": limits.age_ns // 1_000_000,
        }
        spool = self._spool.state() if self._spool is not None else None
        ledger = {"silentMs": int(self._ledger.silent_seconds * 1000), "refusal": self._ledger.refusal}
        shown = {"status": self._readiness.state, "ledger": ledger, "queue": queue, "spool": spool}
        body = json.dumps(shown).encode()
        return (200 if self._readiness.is_ready else 503), _JSON, body


async def watch_loop(metrics: Metrics, monotonic: Callable[[], float]) -> None:
    """Notes again and again how late the event loop wakes. Runs until cancelled."""
    while True:
        due = monotonic() + LOOP_LAG_EVERY_SECONDS
        await asyncio.sleep(LOOP_LAG_EVERY_SECONDS)
        metrics.observe(LOOP_LAG, max(0.0, monotonic() - due))
