"""The OTLP/gRPC door as real SDKs and hand-made clients meet it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from collector.otlp_status import Encoding, Signal

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def spans(count: int, name: str = "chat") -> list[ReadableSpan]:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    made: list[ReadableSpan] = []
    for _ in range(count):
        span = tracer.start_span(name)
        span.end()
        assert isinstance(span, ReadableSpan)
        made.append(span)
    return made


def request(count: int = 1, bad: int = 0, padding: int = 0) -> ExportTraceServiceRequest:
    export = ExportTraceServiceRequest()
    scope = export.resource_spans.add().scope_spans.add()
    for _ in range(count):
        scope.spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name="chat", trace_state=" " * padding)
    for _ in range(bad):
        scope.spans.add(trace_id=b"short", span_id=os.urandom(8), name="chat")
    return export


async def export_with_sdk(address: object, batch: list[ReadableSpan], **options: Any) -> SpanExportResult:
    def export() -> SpanExportResult:
        exporter = OTLPSpanExporter(endpoint=f"http://{address}", insecure=True, **options)
        try:
            return exporter.export(batch)
        finally:
            exporter.shutdown()

    return await asyncio.to_thread(export)


async def call(address: object, body: bytes, path: str = EXPORT, **options: Any) -> bytes:
    async with grpc.aio.insecure_channel(str(address)) as channel:
        answer = await channel.unary_unary(path)(body, timeout=10, **options)
        assert isinstance(answer, bytes)
        return answer


async def refusal(answering: Awaitable[bytes]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answering
    return caught.value


def trailers(error: grpc.aio.AioRpcError) -> dict[str, bytes]:
    return dict(error.trailing_metadata() or ())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the conditions are counters, nothing signals them
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_the_sdk_exports_and_every_span_is_in_the_ledger(collector, compression):
    batch = spans(40)
    assert await export_with_sdk(collector.at.grpc, batch, compression=compression) is SpanExportResult.SUCCESS
    assert [record.span_id for record in collector.ledger.records] == [
        span.context.span_id.to_bytes(8, "big") for span in batch
    ]


async def test_full_success_leaves_partial_success_unset(collector):
    answer = ExportTraceServiceResponse.FromString(await call(collector.at.grpc, request(3).SerializeToString()))
    assert not answer.HasField("partial_success")


async def test_an_empty_export_succeeds_without_touching_the_ledger(collector):
    assert await call(collector.at.grpc, b"") == b""
    assert await call(collector.at.grpc, ExportTraceServiceRequest().SerializeToString()) == b""
    assert collector.ledger.groups == []


async def test_bad_spans_are_counted_in_partial_success_and_their_neighbours_kept(collector):
    body = request(3, bad=2).SerializeToString()
    answer = ExportTraceServiceResponse.FromString(await call(collector.at.grpc, body))
    assert answer.partial_success.rejected_spans == 2
    assert answer.partial_success.error_message == "2 spans refused: invalid_id 2"
    assert len(collector.ledger.records) == 3
    assert len(collector.ledger.rejected) == 2


async def test_undecodable_bytes_are_an_invalid_argument_and_never_in_the_log(collector, caplog):
    error = await refusal(call(collector.at.grpc, b"\xff\xff canary-secret"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "canary" not in caplog.text
    (line,) = [record for record in caplog.records if record.message == "undecodable body"]
    assert len(line.__dict__["sha256"]) == 16


async def test_the_answer_waits_for_the_commit(collector):
    collector.ledger.open.clear()
    answering = asyncio.create_task(call(collector.at.grpc, request().SerializeToString()))
    await collector.ledger.entered.wait()
    assert not answering.done()
    collector.ledger.open.set()
    assert await answering == b""


async def test_an_outage_is_unavailable_with_both_forms_of_the_delay(collector):
    collector.ledger.down = True
    error = await refusal(call(collector.at.grpc, request().SerializeToString()))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    sent = trailers(error)
    status = status_pb2.Status.FromString(sent["grpc-status-details-bin"])
    assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]
    in_details = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(in_details)
    alone = error_details_pb2.RetryInfo.FromString(sent["google.rpc.retryinfo-bin"])
    assert in_details == alone
    assert alone.retry_delay.ToMilliseconds() == 1500


async def test_the_sdk_comes_back_after_an_outage_and_loses_nothing(collector):
    collector.ledger.down = True
    exporting = asyncio.create_task(export_with_sdk(collector.at.grpc, spans(5)))
    refused = 'finops_receive_requests_total{outcome="unavailable",signal="traces",transport="grpc"} 1.0'
    await until(lambda: refused in collector.service.metrics.page().decode())
    collector.ledger.down = False
    assert await exporting is SpanExportResult.SUCCESS
    assert len(collector.ledger.records) == 5


async def test_a_commit_that_takes_too_long_is_unavailable_and_still_finishes(start_collector):
    collector = await start_collector(FINOPS_ANSWER_MS_MAX="100")
    collector.ledger.open.clear()
    error = await refusal(call(collector.at.grpc, request().SerializeToString()))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "google.rpc.retryinfo-bin" in trailers(error)
    collector.ledger.open.set()
    await until(lambda: len(collector.ledger.records) == 1)


async def test_a_sender_that_goes_away_does_not_cancel_its_group(collector):
    collector.ledger.open.clear()
    leaving = asyncio.create_task(call(collector.at.grpc, request().SerializeToString()))
    await collector.ledger.entered.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    staying = asyncio.create_task(call(collector.at.grpc, request().SerializeToString()))
    collector.ledger.open.set()
    await staying
    assert len(collector.ledger.records) == 2
    assert collector.service.admission.requests == 0


async def test_a_fault_of_ours_is_unavailable_and_never_unknown(start_collector):
    def broken(body: bytes, tenant: str, received_ns: int) -> Any:
        raise ZeroDivisionError("canary-secret")

    collector = await start_collector(decoders={(Signal.TRACES, Encoding.PROTOBUF): broken})
    error = await refusal(call(collector.at.grpc, request().SerializeToString()))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "canary" not in (error.details() or "")


async def test_an_oversized_message_is_resource_exhausted_plain_and_gzipped(start_collector):
    collector = await start_collector(FINOPS_MESSAGE_BYTES_MAX="65536")
    body = request(1, padding=70_000).SerializeToString()
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        error = await refusal(call(collector.at.grpc, body, compression=compression))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert collector.ledger.groups == []
    assert await call(collector.at.grpc, request().SerializeToString()) == b""


async def test_a_full_house_asks_to_come_back_before_reading(start_collector):
    collector = await start_collector(FINOPS_ADMITTED_REQUESTS_MAX="1")
    collector.ledger.open.clear()
    inside = asyncio.create_task(call(collector.at.grpc, request().SerializeToString()))
    await collector.ledger.entered.wait()
    error = await refusal(call(collector.at.grpc, request().SerializeToString()))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "google.rpc.retryinfo-bin" in trailers(error)
    collector.ledger.open.set()
    await inside
    assert collector.service.metrics.value("finops_receive_refused_total", reason="requests") == 1


async def test_metrics_are_accepted_ignored_and_counted(collector):
    service = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    assert await call(collector.at.grpc, b"whatever", service) == b""
    counted = {"signal": "metrics", "transport": "grpc", "outcome": "ignored"}
    assert collector.service.metrics.value("finops_receive_requests_total", **counted) == 1


async def test_logs_are_read_for_calls_and_other_records_passed_over(collector):
    service = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
    export = ExportLogsServiceRequest()
    record = export.resource_logs.add().scope_logs.add().log_records.add(event_name="claude_code.api_request")
    for key, value in (("input_tokens", 12), ("output_tokens", 3)):
        record.attributes.add(key=key).value.int_value = value
    record.attributes.add(key="model").value.string_value = "claude-sonnet-4"
    export.resource_logs[0].scope_logs[0].log_records.add().body.string_value = "just a line"
    assert await call(collector.at.grpc, export.SerializeToString(), service) == b""
    assert [record.usage.input_tokens for record in collector.ledger.records] == [12]
    error = await refusal(call(collector.at.grpc, b"\xffwhatever", service))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_unknown_method_is_unimplemented(collector):
    error = await refusal(call(collector.at.grpc, b"", "/opentelemetry.proto.collector.trace.v1.TraceService/Import"))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health_answers_for_the_server_and_for_each_service(collector):
    check = "/grpc.health.v1.Health/Check"
    assert await call(collector.at.grpc, b"", check) == b"\x08\x01"
    name = b"opentelemetry.proto.collector.trace.v1.TraceService"
    assert await call(collector.at.grpc, b"\x0a" + bytes([len(name)]) + name, check) == b"\x08\x01"
    error = await refusal(call(collector.at.grpc, b"\x0a\x01x", check))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_a_health_watcher_hears_of_the_drain(collector):
    async with grpc.aio.insecure_channel(str(collector.at.grpc)) as channel:
        watching = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert await watching.read() == b"\x08\x01"
        await asyncio.gather(collector.service.stop(), expect_not_serving(watching))


async def expect_not_serving(watching: Any) -> None:
    assert await watching.read() == b"\x08\x02"


async def test_a_drain_answers_those_inside_and_refuses_newcomers(collector):
    collector.ledger.open.clear()
    inside = asyncio.create_task(call(collector.at.grpc, request().SerializeToString()))
    await collector.ledger.entered.wait()
    stopping = asyncio.create_task(collector.service.stop())
    await until(lambda: collector.service.readiness.state == "draining")
    error = await refusal(call(collector.at.grpc, request().SerializeToString()))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    collector.ledger.open.set()
    assert await inside == b""
    assert await stopping
    assert len(collector.ledger.records) == 1


async def test_small_exports_that_arrive_during_a_commit_share_the_next_one(collector):
    collector.ledger.open.clear()
    first = asyncio.create_task(call(collector.at.grpc, request().SerializeToString()))
    await collector.ledger.entered.wait()
    others = [asyncio.create_task(call(collector.at.grpc, request().SerializeToString())) for _ in range(10)]
    await until(lambda: collector.service.admission.requests == 11)
    collector.ledger.open.set()
    await asyncio.gather(first, *others)
    assert collector.ledger.groups == [1, 10]


async def test_one_poisonous_span_costs_its_neighbours_nothing(collector):
    poison = b"poisoned"
    collector.ledger.chokes_on = {poison}
    collector.ledger.open.clear()
    first = asyncio.create_task(call(collector.at.grpc, request().SerializeToString()))
    await collector.ledger.entered.wait()
    poisoned = request(8)
    poisoned.resource_spans[0].scope_spans[0].spans[5].span_id = poison
    bodies = [request(2), poisoned, request(2)]
    answering = [asyncio.create_task(call(collector.at.grpc, body.SerializeToString())) for body in bodies]
    await until(lambda: collector.service.admission.requests == 4)
    collector.ledger.open.set()
    await first
    told = [ExportTraceServiceResponse.FromString(await answer).partial_success for answer in answering]
    assert [partial.rejected_spans for partial in told] == [0, 1, 0]
    assert len(collector.ledger.records) == 1 + 2 + 7 + 2
    assert [refused.reason for refused in collector.ledger.rejected] == ["refused_by_ledger"]


async def test_a_client_that_pings_often_is_not_sent_away(collector):
    collector.ledger.open.clear()
    options = [
        ("grpc.keepalive_time_ms", 100),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_time_between_pings_ms", 100),
    ]
    async with grpc.aio.insecure_channel(str(collector.at.grpc), options=options) as channel:
        answering = asyncio.ensure_future(channel.unary_unary(EXPORT)(request().SerializeToString(), timeout=10))
        await collector.ledger.entered.wait()
        await asyncio.sleep(1.2)  # a dozen pings; grpcio's defaults say goodbye after the third
        collector.ledger.open.set()
        assert await answering == b""


async def test_a_mute_socket_is_closed(start_collector):
    collector = await start_collector(FINOPS_GRPC_HANDSHAKE_MS_MAX="200")
    reader, writer = await asyncio.open_connection(*collector.at.grpc)
    async with asyncio.timeout(10):
        while await reader.read(1024):
            pass
    writer.close()
    await writer.wait_closed()
    assert await call(collector.at.grpc, request().SerializeToString()) == b""


class NoTokens:
    """Tokens are needed and there is none."""

    async def grant(self, digest: bytes) -> None:
        return None

    async def any_ingest(self) -> bool:
        return True


async def test_a_sender_without_a_token_is_refused_before_its_body_is_read(start_collector):
    collector = await start_collector(tokens=NoTokens())
    error = await refusal(call(collector.at.grpc, bytes(8 << 20), metadata=(("authorization", "Bearer x"),)))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert trailers(error).get("google.rpc.retryinfo-bin") is None
    assert collector.service.metrics.value("finops_receive_bytes_total", signal="traces", transport="grpc") == 0
