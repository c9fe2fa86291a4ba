"""TLS on every door: real SDK exporters with certificates and tokens, wrong ones refused, new ones while it runs."""

import asyncio
import socket
import ssl
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.responses import Response
from tls_world import Authority

from doors.certificates import CertificateFiles, Certificates
from doors.settings_values import Address
from finops.access import Grant, Scope, token_digest
from query_api.server import HttpServer

TOKEN = "finops_sender"


class AcmesToken:
    """One ingest token, of one organisation."""

    async def grant(self, digest: bytes) -> Grant | None:
        return Grant("acme", frozenset({Scope.INGEST}), "acme") if digest == token_digest(TOKEN) else None

    async def any_ingest(self) -> bool:
        return True


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("foreign"), "theirs")


@pytest.fixture
def door(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of a collector that wants a certificate of its senders."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # the SDK's HTTP client heeds them before what it is told
        monkeypatch.delenv(name, raising=False)
    paths = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "clients.pem"
    put(paths[0], paths[1], authority.issue("server"))
    paths[2].write_bytes(authority.certificate.read_bytes())
    names = "FINOPS_TLS_CERTIFICATE", "FINOPS_TLS_KEY", "FINOPS_TLS_CLIENT_CA"
    return dict(zip(names, map(str, paths), strict=True))


@pytest.fixture
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificate files are looked at whenever somebody connects."""
    monkeypatch.setattr("doors.certificates.LOOK_SECONDS", 0.0)


def put(chain: Path, key: Path, issued: tuple[Path, Path]) -> None:
    chain.write_bytes(issued[0].read_bytes())
    key.write_bytes(issued[1].read_bytes())


def a_span() -> ReadableSpan:
    """A finished span of the SDK's own, of a model call that says it is another organisation's."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    said: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 7,
    }
    with provider.get_tracer("openai").start_as_current_span("chat gpt-4o", attributes={**said, "finops.org": "beta"}):
        pass
    return kept.get_finished_spans()[0]


def exporters(at: Any, trusts: Path, shows: tuple[Path, Path] | None, token: str) -> list[Any]:
    """Both exporters of the SDK."""
    chain, key = shows or (None, None)
    credentials = grpc.ssl_channel_credentials(
        trusts.read_bytes(), key.read_bytes() if key else None, chain.read_bytes() if chain else None
    )
    headers = {"authorization": f"Bearer {token}"}
    files = {"certificate_file": str(trusts), "client_certificate_file": str(chain) if chain else None}
    return [
        GrpcExporter(endpoint=f"https://{at.grpc}", credentials=credentials, headers=headers, timeout=5),
        HttpExporter(
            endpoint=f"https://{at.http}/v1/traces",
            headers=headers,
            timeout=5,
            client_key_file=str(key) if key else None,
            **files,  # type: ignore[arg-type]
        ),
    ]


async def exported(exporter: Any) -> bool:
    """Whether the SDK's exporter got its span through."""
    try:
        return await asyncio.to_thread(exporter.export, [a_span()]) is SpanExportResult.SUCCESS
    finally:
        await asyncio.to_thread(exporter.shutdown)


async def test_exporters_of_the_sdk_send_with_certificate_and_token_and_the_token_says_whose_it_is(
    start_collector: Any, authority: Authority, door: dict[str, str]
) -> None:
    collector = await start_collector(AcmesToken(), **door)
    for exporter in exporters(collector.at, authority.certificate, authority.issue("agent"), TOKEN):
        assert await exported(exporter)
    assert [record.tenant for record in collector.ledger.records] == ["acme", "acme"]


async def test_who_has_a_certificate_and_no_token_is_refused(
    start_collector: Any, authority: Authority, door: dict[str, str]
) -> None:
    collector = await start_collector(AcmesToken(), **door)
    for exporter in exporters(collector.at, authority.certificate, authority.issue("agent"), "another"):
        assert not await exported(exporter)
    assert collector.ledger.records == []


@pytest.mark.parametrize("shows", ["nothing", "a foreign one", "an old one"])
async def test_who_has_a_token_and_no_good_certificate_is_refused(
    start_collector: Any, authority: Authority, foreign: Authority, door: dict[str, str], shows: str
) -> None:
    made = None
    if shows != "nothing":
        made = foreign.issue("agent") if shows == "a foreign one" else authority.issue("late", valid=-timedelta(days=1))
    collector = await start_collector(AcmesToken(), **door)
    for port in (collector.at.grpc.port, collector.at.http.port):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(spoken, port, authority.certificate, made)
    assert collector.ledger.records == []


def spoken(port: int, trusts: Path, shows: tuple[Path, Path] | None) -> str:
    """The name in the certificate of a door, once it has answered something; raises where it closes instead."""
    context = ssl.create_default_context(cafile=str(trusts))
    context.set_alpn_protocols(["h2", "http/1.1"])
    if shows:
        context.load_cert_chain(*shows)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as spoken_to,
    ):
        if spoken_to.selected_alpn_protocol() == "h2":
            spoken_to.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        else:
            spoken_to.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        if not spoken_to.recv(1):  # with TLS 1.3 a server refuses a client's certificate only now
            raise ConnectionResetError("closed without an answer")
        shown: Any = spoken_to.getpeercert()
        return str(shown["subject"][0][0][1])


async def test_a_new_certificate_is_shown_without_a_restart_and_a_broken_one_never(
    start_collector: Any,
    authority: Authority,
    foreign: Authority,
    door: dict[str, str],
    looks_at_once: None,
) -> None:
    collector = await start_collector(AcmesToken(), **door)
    ports = (collector.at.grpc.port, collector.at.http.port)
    chain, key, clients = (Path(path) for path in door.values())
    agent = authority.issue("agent")

    async def shown(trusts: Path, shows: tuple[Path, Path]) -> list[str]:
        return [await asyncio.to_thread(spoken, port, trusts, shows) for port in ports]

    assert await shown(authority.certificate, agent) == ["server", "server"]
    put(chain, key, authority.issue("renewed"))
    assert await shown(authority.certificate, agent) == ["renewed", "renewed"]
    key.write_text("half writ", "ascii")
    assert await shown(authority.certificate, agent) == ["renewed", "renewed"]
    put(chain, key, foreign.issue("moved"))
    clients.write_bytes(foreign.certificate.read_bytes())
    assert await shown(foreign.certificate, foreign.issue("agent")) == ["moved", "moved"]
    for port in ports:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(spoken, port, foreign.certificate, agent)


async def test_the_api_speaks_tls_and_shows_a_new_certificate_without_a_restart(
    authority: Authority, tmp_path: Path, looks_at_once: None
) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    put(chain, key, authority.issue("api"))
    tls = Certificates(CertificateFiles(chain, key), time.monotonic).tls_context()
    server = HttpServer(Response("here"), Address("127.0.0.1", 0), 10, tls)
    port = (await server.start()).port
    try:
        assert await asyncio.to_thread(spoken, port, authority.certificate, None) == "api"
        put(chain, key, authority.issue("renewed"))
        assert await asyncio.to_thread(spoken, port, authority.certificate, None) == "renewed"
        chain.write_text("half writ", "ascii")
        assert await asyncio.to_thread(spoken, port, authority.certificate, None) == "renewed"
    finally:
        await server.stop(5)
