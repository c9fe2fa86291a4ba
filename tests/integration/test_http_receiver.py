"""The OTLP/HTTP door as real SDKs and hand-made clients meet it."""

import asyncio
import base64
import gzip
import json
import os
import ssl
import subprocess
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx2
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from finops.access import Grant, Scope, token_digest
from finops.spans import LedgerUnavailable

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


def spans(count: int) -> list[ReadableSpan]:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    made: list[ReadableSpan] = []
    for _ in range(count):
        span = tracer.start_span("chat")
        span.end()
        assert isinstance(span, ReadableSpan)
        made.append(span)
    return made


def body(count: int = 1, bad: int = 0) -> bytes:
    export = ExportTraceServiceRequest()
    scope = export.resource_spans.add().scope_spans.add()
    for _ in range(count):
        scope.spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name="chat")
    for _ in range(bad):
        scope.spans.add(trace_id=b"short", span_id=os.urandom(8), name="chat")
    return export.SerializeToString()


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=10) as client:
        yield client


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the conditions are counters, nothing signals them
            await asyncio.sleep(0.005)


async def raw(address: Any, sent: bytes, **options: Any) -> bytes:
    """Sends bytes over a bare socket and reads until the collector closes it."""
    reader, writer = await asyncio.open_connection(*address, **options)
    try:
        writer.write(sent)
        await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
async def test_the_sdk_exports_and_every_span_is_in_the_ledger(collector, compression):
    def export() -> SpanExportResult:
        exporter = OTLPSpanExporter(endpoint=f"{collector.url}/v1/traces", compression=compression)
        try:
            return exporter.export(spans(40))
        finally:
            exporter.shutdown()  # type: ignore[no-untyped-call]

    assert await asyncio.to_thread(export) is SpanExportResult.SUCCESS
    assert len(collector.ledger.records) == 40


async def test_success_is_200_in_the_content_type_of_the_request(collector, client):
    answer = await client.post(f"{collector.url}/v1/traces", content=body(3), headers=PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-protobuf")
    assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")


async def test_partial_success_counts_the_refused_spans(collector, client):
    answer = await client.post(f"{collector.url}/v1/traces", content=body(3, bad=1), headers=PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 1)
    assert partial.error_message == "1 span refused: invalid_id 1"


async def test_gzip_in_several_members_and_pieces_is_read_whole(collector, client):
    whole = body(200)
    packed = gzip.compress(whole[:5000]) + gzip.compress(whole[5000:])

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(packed), 997):
            yield packed[at : at + 997]

    headers = {**PROTOBUF, "content-encoding": "gzip"}
    answer = await client.post(f"{collector.url}/v1/traces", content=pieces(), headers=headers)
    assert answer.status_code == 200
    assert len(collector.ledger.records) == 200


@pytest.mark.parametrize("sent", [b"not gzip at all", gzip.compress(b"x" * 5000)[:-9]], ids=["garbage", "cut short"])
async def test_broken_gzip_is_a_400(collector, client, sent):
    headers = {**PROTOBUF, "content-encoding": "gzip"}
    answer = await client.post(f"{collector.url}/v1/traces", content=sent, headers=headers)
    assert answer.status_code == 400


async def test_a_gzip_bomb_is_refused_at_the_limit_and_never_inflated_whole(start_collector, client):
    collector = await start_collector(FINOPS_MESSAGE_BYTES_MAX="1000000", FINOPS_ADMITTED_BYTES_MAX="1000000")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    headers = {**PROTOBUF, "content-encoding": "gzip"}
    answer = await client.post(f"{collector.url}/v1/traces", content=bomb, headers=headers)
    assert answer.status_code == 413
    assert status_pb2.Status.FromString(answer.content).code == 8
    assert collector.service.admission.bytes == 0


async def test_thousands_of_empty_gzip_members_are_refused(collector, client):
    headers = {**PROTOBUF, "content-encoding": "gzip"}
    answer = await client.post(f"{collector.url}/v1/traces", content=gzip.compress(b"") * 5000, headers=headers)
    assert answer.status_code == 400


async def test_a_body_over_the_limit_is_413_announced_or_not(start_collector, client):
    collector = await start_collector(FINOPS_MESSAGE_BYTES_MAX="65536")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(30_000)

    announced = await client.post(f"{collector.url}/v1/traces", content=bytes(70_000), headers=PROTOBUF)
    chunked = await client.post(f"{collector.url}/v1/traces", content=chunks(), headers=PROTOBUF)
    assert (announced.status_code, chunked.status_code) == (413, 413)


async def test_undecodable_bytes_are_a_400_with_a_status_in_the_same_encoding(collector, client, caplog):
    answer = await client.post(f"{collector.url}/v1/traces", content=b"\xffcanary-secret", headers=PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-protobuf")
    assert status_pb2.Status.FromString(answer.content).code == 3
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("POST", "/v1/spans", PROTOBUF, 404),
        ("POST", "/", PROTOBUF, 404),
        ("GET", "/v1/traces", {}, 405),
        ("POST", "/v1/traces", {"content-type": "text/plain"}, 415),
        ("POST", "/v1/traces", {}, 415),
        ("POST", "/v1/traces", {**PROTOBUF, "content-encoding": "br"}, 415),
    ],
)
async def test_what_is_no_otlp_gets_the_status_that_says_so(collector, client, method, path, headers, expected):
    answer = await client.request(method, f"{collector.url}{path}", content=b"x", headers=headers)
    assert answer.status_code == expected
    assert collector.ledger.groups == []


async def test_an_outage_is_503_with_retry_after_and_a_delay_in_the_status(collector, client):
    collector.ledger.down = True
    answer = await client.post(f"{collector.url}/v1/traces", content=body(), headers=PROTOBUF)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    status = status_pb2.Status.FromString(answer.content)
    info = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, info.retry_delay.ToMilliseconds()) == (14, 1500)


async def test_a_full_house_is_429_with_retry_after(start_collector, client):
    collector = await start_collector(FINOPS_ADMITTED_REQUESTS_MAX="1")
    collector.ledger.open.clear()
    inside = asyncio.create_task(client.post(f"{collector.url}/v1/traces", content=body(), headers=PROTOBUF))
    await collector.ledger.entered.wait()
    answer = await client.post(f"{collector.url}/v1/traces", content=body(), headers=JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json() == {
        "code": 14,
        "message": "no room now (requests)",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"}],
    }
    collector.ledger.open.set()
    assert (await inside).status_code == 200


def json_span(span_id: str, tokens: object) -> dict[str, object]:
    attributes = [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": tokens}}]
    return {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": span_id, "name": "chat", "attributes": attributes}


async def test_json_is_answered_in_json(collector, client):
    sent = [json_span("EEE19B7EC3C1B174", "12"), json_span("EEE19B7EC3C1B175", "-12")]
    export = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": sent}]}]}).encode()
    headers = {"content-type": "application/json; charset=utf-8", "content-encoding": "gzip"}
    answer = await client.post(f"{collector.url}/v1/traces", content=gzip.compress(export), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "1 span refused: bad_usage 1"}}
    good = await client.post(f"{collector.url}/v1/traces", content=b'{"resourceSpans": []}', headers=JSON)
    assert (good.status_code, good.json()) == (200, {})
    broken = await client.post(f"{collector.url}/v1/traces", content=b'{"resourceSpans": [', headers=JSON)
    assert (broken.status_code, broken.json()["code"]) == (400, 3)
    assert [record.span_id.hex() for record in collector.ledger.records] == ["eee19b7ec3c1b174"]


@pytest.mark.parametrize(("signal", "outcome"), [("logs", "accepted"), ("metrics", "ignored")])
async def test_other_signals_are_accepted_and_counted(collector, client, signal, outcome):
    answer = await client.post(f"{collector.url}/v1/{signal}", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    counted = {"signal": signal, "transport": "http", "outcome": outcome}
    assert collector.service.metrics.value("finops_receive_requests_total", **counted) == 1


class ListedTokens:
    """Tokens by their secret; can be unreachable."""

    def __init__(self, **grants: Grant) -> None:
        self.grants = {token_digest(secret): grant for secret, grant in grants.items()}
        self.reachable = True

    async def grant(self, digest: bytes) -> Grant | None:
        if not self.reachable:
            raise LedgerUnavailable
        return self.grants.get(digest)

    async def any_ingest(self) -> bool:
        if not self.reachable:
            raise LedgerUnavailable
        return any(Scope.INGEST in grant.scopes for grant in self.grants.values())


async def test_programs_set_up_for_langfuse_need_another_host_and_secret_only(start_collector, client):
    sender = Grant("acme", frozenset({Scope.INGEST}), "acme")
    collector = await start_collector(tokens=ListedTokens(sender=sender))
    headers = {**PROTOBUF, "authorization": f"Basic {base64.b64encode(b'pk-lf-1:sender').decode()}"}
    answer = await client.post(f"{collector.url}/api/public/otel/v1/traces", content=body(), headers=headers)
    assert answer.status_code == 200
    assert [record.tenant for record in collector.ledger.records] == ["acme"]
    refused = await client.post(f"{collector.url}/api/public/otel/v1/traces", content=body(), headers=PROTOBUF)
    elsewhere = await client.post(f"{collector.url}/api/public/ingestion", content=b"{}", headers=headers)
    assert (refused.status_code, elsewhere.status_code) == (401, 404)


def bearer(secret: str) -> dict[str, str]:
    return {**PROTOBUF, "authorization": f"Bearer {secret}"}


async def test_a_token_is_asked_for_before_the_body_and_gives_the_tenant(start_collector, client):
    sender = Grant("acme", frozenset({Scope.INGEST}), "acme")
    reader = Grant("reader", frozenset({Scope.READ}))
    collector = await start_collector(tokens=ListedTokens(sender=sender, reader=reader))
    answers = [
        await client.post(f"{collector.url}/v1/traces", content=body(), headers=headers)
        for headers in (PROTOBUF, bearer("wrong"), bearer("reader"), bearer("sender"))
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 200]
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert [record.tenant for record in collector.ledger.records] == ["acme"]
    head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\n\r\n"
    assert (await raw(collector.at.http, head)).startswith(b"HTTP/1.1 401 ")


async def test_without_ingest_tokens_the_door_is_open(start_collector, client):
    collector = await start_collector(tokens=ListedTokens(reader=Grant("reader", frozenset({Scope.READ}))))
    answer = await client.post(f"{collector.url}/v1/traces", content=body(), headers=PROTOBUF)
    assert answer.status_code == 200
    assert [record.tenant for record in collector.ledger.records] == [""]


async def test_tokens_that_cannot_be_checked_are_a_reason_to_come_back_not_to_drop(start_collector, client):
    tokens = ListedTokens(sender=Grant("acme", frozenset({Scope.INGEST}), "acme"))
    tokens.reachable = False
    collector = await start_collector(tokens=tokens)
    answer = await client.post(f"{collector.url}/v1/traces", content=body(), headers=bearer("sender"))
    assert answer.status_code == 503


async def test_headers_that_never_end_are_hung_up_on(start_collector):
    collector = await start_collector(FINOPS_HEADER_MS_MAX="150")
    assert await raw(collector.at.http, b"") == b""
    assert await raw(collector.at.http, b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-slow: ") == b""
    again = b"GET /v1/traces HTTP/1.1\r\nhost: x\r\n"
    assert (await raw(collector.at.http, again + b"\r\n" + again)).startswith(b"HTTP/1.1 405 ")


async def test_a_body_that_never_ends_is_408(start_collector):
    collector = await start_collector(FINOPS_BODY_MS_MAX="150")
    head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    assert (await raw(collector.at.http, head)).startswith(b"HTTP/1.1 408 ")
    assert collector.service.admission.requests == 0


async def test_a_sender_that_hangs_up_inside_its_body_leaves_nothing_behind(collector, client):
    head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    _, writer = await asyncio.open_connection(*collector.at.http)
    writer.write(head)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    answer = await client.post(f"{collector.url}/v1/traces", content=body(), headers=PROTOBUF)
    assert answer.status_code == 200
    assert collector.service.admission.requests == 0


async def test_a_drain_answers_those_inside(collector, client):
    collector.ledger.open.clear()
    inside = asyncio.create_task(client.post(f"{collector.url}/v1/traces", content=body(), headers=PROTOBUF))
    await collector.ledger.entered.wait()
    stopping = asyncio.create_task(collector.service.stop())
    await until(lambda: collector.service.readiness.state == "draining")
    ready = await client.get(f"{collector.pages}/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "draining")
    collector.ledger.open.set()
    assert (await inside).status_code == 200
    assert await stopping


async def test_a_drain_that_takes_too_long_gives_up_and_says_so(start_collector, client):
    collector = await start_collector(FINOPS_DRAIN_MS_MAX="700")
    collector.ledger.open.clear()
    inside = asyncio.create_task(client.post(f"{collector.url}/v1/traces", content=body(), headers=PROTOBUF))
    await collector.ledger.entered.wait()
    assert not await collector.service.stop()
    with pytest.raises(httpx2.HTTPError):
        (await inside).raise_for_status()


async def test_the_pages_tell_health_queue_and_metrics(collector, client):
    await client.post(f"{collector.url}/v1/traces", content=body(3), headers=PROTOBUF)
    live = await client.get(f"{collector.pages}/health/live")
    ready = await client.get(f"{collector.pages}/health/ready")
    page = (await client.get(f"{collector.pages}/metrics")).text
    assert (live.status_code, ready.status_code) == (200, 200)
    assert ready.json()["queue"]["requests"] == 0
    assert 'finops_receive_requests_total{outcome="accepted",signal="traces",transport="http"} 1.0' in page
    assert 'finops_append_spans_total{outcome="posted"} 3.0' in page
    assert "finops_ready 1.0" in page
    assert "_created" not in page
    assert (await client.get(f"{collector.pages}/nothing")).status_code == 404
    assert (await client.post(f"{collector.pages}/metrics")).status_code == 405


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    chain, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        command = [*made, *names, "-keyout", str(key), "-out", str(chain)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate with")
    return chain, key


async def test_tls_guards_both_doors(start_collector, certificate):
    chain, key = certificate
    collector = await start_collector(FINOPS_TLS_CERTIFICATE=str(chain), FINOPS_TLS_KEY=str(key))
    trust = ssl.create_default_context(cafile=str(chain))
    async with httpx2.AsyncClient(verify=trust, timeout=10) as client:
        answer = await client.post(f"https://{collector.at.http}/v1/traces", content=body(), headers=PROTOBUF)
    assert answer.status_code == 200
    credentials = grpc.ssl_channel_credentials(chain.read_bytes())
    async with grpc.aio.secure_channel(str(collector.at.grpc), credentials) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        assert await export(body(), timeout=10) == b""
    assert len(collector.ledger.records) == 2
