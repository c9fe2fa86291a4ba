"""An answered export leaves nothing behind: ``collector.tidying`` searches only what is new for circles."""

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.tidying import tidy
from finops.spans import LedgerUnavailable

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
EXPORTS = 20
OURS = (
    "collector.",
    "grpc._cython.cygrpc._ServicerContext",
    "grpc._cython.cygrpc.RPCState",
    "uvicorn.",
    "starlette.",
    "finops.spans.",
)


def body(number: int) -> bytes:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="chat")
    span.trace_id, span.span_id = number.to_bytes(16), number.to_bytes(8)
    return request.SerializeToString()


@pytest.fixture
def by_hand() -> Iterator[None]:
    """No collections but those asked for."""
    gc.collect()
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


def living() -> Counter[str]:
    """Objects of the receiving side by type."""
    kinds = (f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    return Counter(kind for kind in kinds if kind.startswith(OURS))


async def left_behind(ledger: Any, send: Callable[[bytes], Awaitable[Any]]) -> dict[str, int]:
    """What every export leaves where the collector tidies up while it is inside."""
    for number in range(1, 4):
        await send(body(number))
    gc.unfreeze()
    gc.collect()
    before = living()
    for number in range(EXPORTS):
        ledger.open.clear()
        ledger.entered.clear()
        answering = asyncio.ensure_future(send(body(1000 + number)))
        await ledger.entered.wait()
        tidy()
        ledger.open.set()
        await answering
        tidy()
    ledger.records.clear()
    gc.unfreeze()
    await asyncio.sleep(0)
    return {kind: count for kind, count in (living() - before).items() if count > EXPORTS // 4}


async def test_over_grpc(collector, by_hand: None) -> None:
    async with grpc.aio.insecure_channel(str(collector.at.grpc)) as channel:
        assert await left_behind(collector.ledger, channel.unary_unary(EXPORT)) == {}


async def test_over_http(collector, by_hand: None) -> None:
    headers = {"content-type": "application/x-protobuf"}
    async with httpx2.AsyncClient(base_url=collector.url, headers=headers) as client:
        assert await left_behind(collector.ledger, lambda sent: client.post("/v1/traces", content=sent)) == {}


@pytest.mark.parametrize("spool", [False, True], ids=["without a spool", "with a spool"])
async def test_while_the_ledger_is_down(start_collector, tmp_path: Path, by_hand: None, spool: bool) -> None:
    collector = await start_collector(**({"FINOPS_SPOOL_DIR": str(tmp_path)} if spool else {}))
    collector.ledger.down = True
    async with grpc.aio.insecure_channel(str(collector.at.grpc)) as channel:
        call = channel.unary_unary(EXPORT)

        async def send(sent: bytes) -> None:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call(sent)

        if spool:
            overflow = collector.service._overflow

            async def send_twice(sent: bytes) -> None:
                """One that spills and one that cannot be drained."""
                await send(sent)
                overflow._draining.cancel()
                overflow._draining = None
                with contextlib.suppress(LedgerUnavailable):
                    await overflow._drain_group()

            left = await left_behind(collector.ledger, send_twice)
            assert "finops.spans.LedgerUnavailable" not in left  # the rows of the last attempt may still be there
        else:
            assert await left_behind(collector.ledger, send) == {}
