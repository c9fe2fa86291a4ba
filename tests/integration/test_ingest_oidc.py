"""Bearer JWTs at the OTLP doors: of a real issuer, shown by a real exporter and by hand, over gRPC and HTTP."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
import httpx2
import pytest
from issuer_world import AUDIENCE, KEYS, Issuer, issuing
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from otlp_bytes import export, span

from collector.metrics import OIDC_FETCHES, OIDC_KEYS, OIDC_TOKENS
from finops.access import Grant, Scope, token_digest

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
UNAUTHENTICATED, UNAVAILABLE = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE


class Stored:
    """One ingest token of the ledger."""

    async def grant(self, digest: bytes) -> Grant | None:
        return Grant("stored", frozenset({Scope.INGEST})) if digest == token_digest("finops_stored") else None

    async def any_ingest(self) -> bool:
        return False


@pytest.fixture(scope="module")
def served() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture
def issuer(served: Issuer) -> Issuer:
    served.down = False
    return served


@pytest.fixture
async def collector(start_collector: Any, issuer: Issuer) -> Any:
    named = {"FINOPS_OIDC_ISSUER": issuer.url, "FINOPS_OIDC_AUDIENCE": AUDIENCE}
    return await start_collector(tokens=Stored(), FINOPS_ANSWER_MS_MAX="20000", **named)


def sender(issuer: Issuer, **claims: Any) -> str:
    """A token for sending."""
    return issuer.token(**{"scope": "ingest", "exp": int(datetime.now(UTC).timestamp()) + 300, **claims})


async def over_grpc(collector: Any, *authorizations: str) -> tuple[grpc.StatusCode, str]:
    """The status of an export with these headers, and what it says."""
    async with grpc.aio.insecure_channel(str(collector.at.grpc)) as channel:
        call = channel.unary_unary(EXPORT)
        try:
            await call(export(span()), metadata=[("authorization", one) for one in authorizations])
        except grpc.aio.AioRpcError as refusal:
            return refusal.code(), refusal.details() or ""
    return grpc.StatusCode.OK, ""


async def over_http(collector: Any, *authorizations: str) -> int:
    headers = [("content-type", "application/x-protobuf"), *(("authorization", one) for one in authorizations)]
    async with httpx2.AsyncClient(base_url=collector.url) as client:
        return (await client.post("/v1/traces", content=export(span()), headers=headers)).status_code


def exported(collector: Any, token: str) -> SpanExportResult:
    """What the SDK's exporter makes of it."""
    made = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("chat")
    made.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-4o", "finops.org": "liar"})
    made.end()
    assert isinstance(made, ReadableSpan)
    exporter = OTLPSpanExporter(str(collector.at.grpc), insecure=True, headers=(("authorization", f"Bearer {token}"),))
    try:
        return exporter.export([made])
    finally:
        exporter.shutdown()


async def test_the_organisation_of_the_token_is_whose_the_spans_are(collector: Any, issuer: Issuer) -> None:
    result = await asyncio.to_thread(exported, collector, sender(issuer, org_id="acme"))
    assert result is SpanExportResult.SUCCESS
    assert await over_http(collector, f"Bearer {sender(issuer, org_id='acme')}") == 200
    assert {record.tenant for record in collector.ledger.records} == {"acme"}
    assert await over_http(collector, "Bearer finops_stored") == 200
    assert {record.tenant for record in collector.ledger.records} == {"acme", ""}


async def test_an_issuer_closes_the_door_to_whoever_has_no_token_for_sending(collector: Any, issuer: Issuer) -> None:
    long_ago = int(datetime.now(UTC).timestamp()) - 60
    refused = {
        "": "no bearer token",
        "Bearer finops_other": "",
        f"Bearer {sender(issuer, scope='read')}": "",
        f"Bearer {sender(issuer, scope=None)}": "",
        f"Bearer {sender(issuer, aud='else')}": "aud",
        f"Bearer {sender(issuer, org_id=None)}": "org_id",
        f"Bearer {sender(issuer, exp=long_ago)}": "expired",
        f"Bearer {sender(issuer, kid='ec', key=KEYS['new'])}": "signature",
        f"Bearer {'e' * 9000}": "longer than 8192",
    }
    for authorization, says in refused.items():
        code, detail = await over_grpc(collector, authorization)
        assert (code, says in detail) == (UNAUTHENTICATED, True), (authorization[:40], detail)
        assert await over_http(collector, authorization) == 401
    assert not collector.ledger.records


async def test_two_tokens_are_one_too_many(collector: Any, issuer: Issuer) -> None:
    two = ("Bearer finops_stored", f"Bearer {sender(issuer)}")
    code, detail = await over_grpc(collector, *two)
    assert (code, "more than one" in detail) == (UNAUTHENTICATED, True)
    assert await over_http(collector, *two) == 401


async def test_while_there_are_no_keys_senders_keep_their_spans(start_collector: Any, issuer: Issuer) -> None:
    issuer.down = True
    named = {"FINOPS_OIDC_ISSUER": issuer.url, "FINOPS_OIDC_AUDIENCE": AUDIENCE, "FINOPS_OIDC_REFETCH_SECONDS": "1"}
    collector = await start_collector(tokens=Stored(), FINOPS_ANSWER_MS_MAX="20000", **named)
    token = f"Bearer {sender(issuer)}"
    assert (await over_grpc(collector, token))[0] is UNAVAILABLE
    assert await over_http(collector, token) == 503
    assert await over_http(collector, "Bearer finops_stored") == 200
    issuer.down = False
    for _ in range(600):
        if (await over_grpc(collector, token))[0] is not UNAVAILABLE:
            break
        await asyncio.sleep(0.05)
    assert await over_http(collector, token) == 200
    metrics = collector.service.metrics
    assert metrics.value(OIDC_FETCHES, outcome="failed") >= 1
    assert metrics.value(OIDC_FETCHES, outcome="fetched") == 1
    assert metrics.value(OIDC_TOKENS, outcome="good") == 1
    assert metrics.value(OIDC_TOKENS, outcome="undecided") >= 1
    assert metrics.value(OIDC_KEYS) == 2


async def test_doors_beyond_this_machine_may_stand_behind_an_issuer(start_collector: Any) -> None:
    named = {"FINOPS_OIDC_ISSUER": "https://issuer.example", "FINOPS_OIDC_AUDIENCE": AUDIENCE}
    collector = await start_collector(tokens=Stored(), FINOPS_OTLP_HTTP="0.0.0.0:0", **named)
    assert await over_http(collector) == 401
