"""Whoever tries harder gets no further: others' cursors and tags, odd paths, requests hidden in requests."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from access_world import (
    BUDGETS,
    OTHER,
    OWN,
    SOMEBODY,
    app_over,
    body_of,
    client,
    endpoints,
    fill,
    guarded,
    headers,
    make_tokens,
    path_of,
    query_of,
)
from otlp_bytes import export, span
from starlette.applications import Starlette

from doors.settings_values import Address
from finops.access import Grant, Scope, token_digest
from ledger.pool import Pool
from query_api.server import HttpServer

PREFIX = "/api/v1/finops"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MINE, THEIRS = SOMEBODY[0], SOMEBODY[1]
TOKEN = headers(MINE, Scope.READ)["Authorization"]


@pytest.fixture
async def app(ledger_pool: Pool, api_pool: Pool) -> Starlette:
    await fill(ledger_pool)
    await make_tokens(ledger_pool)
    return app_over(api_pool)


@pytest.fixture
async def address(app: Starlette) -> AsyncIterator[Address]:
    server = HttpServer(app, Address("127.0.0.1", 0), 100)
    yield await server.start()
    await server.stop(1)


async def said(at: Any, request: bytes) -> bytes:
    """Everything that is answered to some bytes, until the server closes or waits for more."""
    reader, writer = await asyncio.open_connection(at.host, at.port)
    writer.write(request)
    answer = b""
    try:
        async with asyncio.timeout(3):
            while piece := await reader.read(65536):
                answer += piece
    except (TimeoutError, ConnectionResetError):
        pass
    writer.close()
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


async def test_the_cursor_of_one_organisation_shows_another_nothing(app: Starlette) -> None:
    tried = 0
    async with client(app) as api:
        for endpoint in guarded(app):
            names = {parameter.name for parameter in endpoint.parameters}
            if endpoint.method != "GET" or "cursor" not in names:
                continue
            assert isinstance(endpoint.scope, Scope)
            asked = {"limit": "1"} | ({"groupBy": "agent,model"} if "groupBy" in names else {})
            path = path_of(endpoint, OTHER)
            theirs = await api.get(path, params=asked, headers=headers(THEIRS, endpoint.scope))
            cursor = theirs.headers.get("x-next-cursor")
            if cursor is None and "nextCursor" in theirs.text:
                cursor = theirs.json()["nextCursor"]
            if cursor is None:
                continue
            tried += 1
            mine = await api.get(path, params=asked | {"cursor": cursor}, headers=headers(MINE, endpoint.scope))
            assert mine.status_code in (200, 400), (path, mine.text)
            assert OTHER not in mine.text, (path, mine.text)
    assert tried >= 4


async def test_tags_tell_nothing_of_what_another_organisation_has(app: Starlette) -> None:
    compared = 0
    async with client(app) as api:
        for endpoint in endpoints(app):
            if not endpoint.tagged or "{" not in endpoint.path or endpoint.method == "GET":
                continue
            assert isinstance(endpoint.scope, Scope)
            for condition in ({"If-Match": '"1"'}, {"If-Match": "*"}, {"If-None-Match": "*"}):
                told, theirs = [], path_of(endpoint, OTHER)
                never = theirs.replace(OTHER, "nobody").replace(BUDGETS[OTHER], f"{BUDGETS[OTHER][:-1]}d")
                for path in (theirs, never):
                    answer = await api.request(
                        endpoint.method,
                        path,
                        headers=headers(MINE, endpoint.scope) | condition,
                        json=body_of(endpoint, OWN) if endpoint.body else None,
                        params=query_of(endpoint, OWN),
                    )
                    told.append((answer.status_code, answer.text.replace(path, ""), answer.headers.get("etag")))
                assert told[0][0] == told[1][0], (endpoint.path, condition, told)
                assert OTHER not in told[0][1].replace(f"{OTHER}-agent", ""), (endpoint.path, told)
                compared += 1
    assert compared >= 9


SPELLINGS = [
    f"{PREFIX}//trends",
    f"/{PREFIX}/trends",
    f"{PREFIX}/trends/",
    f"{PREFIX}/./trends",
    f"{PREFIX}/x/../trends",
    "/actuator/health/../prometheus",
    "/actuator/health/..%2fprometheus",
    "/actuator/health/%2e%2e",
    "/page/..%2f..%2fapi",
    "/page/../openapi.json",
    f"{PREFIX}/%74rends%00",
    f"{PREFIX.upper()}/trends",
    f"{PREFIX}/trends;x=1",
    f"{PREFIX}\\trends",
    f"http://elsewhere{PREFIX}/trends",
    "*",
]


async def test_no_other_spelling_of_a_path_opens_it(address: Address) -> None:
    for target in SPELLINGS:
        answer = await said(address, f"GET {target} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n".encode())
        assert statuses(answer) in ([400], [401], [404]), (target, answer)
        assert OWN.encode() not in answer
        assert OTHER.encode() not in answer


async def test_methods_cannot_be_changed_by_a_header_and_odd_ones_are_refused(address: Address) -> None:
    path = f"{PREFIX}/baselines/{OWN}-agent"
    for method in ("OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND", "get", "DELETE\tX"):
        line = f"{method} {path} HTTP/1.1\r\nHost: api\r\nAuthorization: {TOKEN}\r\nConnection: close\r\n\r\n"
        assert statuses(await said(address, line.encode())) in ([405], [400]), method
    override = (
        f"GET {PREFIX}/trends HTTP/1.1\r\nHost: api\r\nX-HTTP-Method-Override: DELETE\r\nConnection: close\r\n\r\n"
    )
    assert statuses(await said(address, override.encode())) == [401]


HIDDEN = f"GET {PREFIX}/trends HTTP/1.1\r\nHost: api\r\nAuthorization: {TOKEN}\r\nConnection: close\r\n\r\n"
SMUGGLED = {
    "both lengths": f"Content-Length: {len(HIDDEN) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a signed length": f"Content-Length: +0\r\n\r\n{HIDDEN}",
    "a folded header": f"X: a\r\n b\r\nTransfer-Encoding: chunked\r\n , identity\r\n\r\n0\r\n\r\n{HIDDEN}",
    "an odd coding": f"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "a space before the colon": f"Content-Length : {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a name with a line feed": f"X\nContent-Length: 0\r\n\r\n{HIDDEN}",
}


async def test_no_request_hides_in_the_body_of_another(address: Address) -> None:
    outer = f"PUT {PREFIX}/baselines/x HTTP/1.1\r\nHost: api\r\nAuthorization: {TOKEN}\r\n"
    for name, inner in SMUGGLED.items():
        answer = await said(address, (outer + inner).encode())
        assert statuses(answer) in ([400], [501]), (name, answer)


async def test_headers_without_an_end_are_cut_off(address: Address) -> None:
    endless = f"GET {PREFIX}/trends HTTP/1.1\r\nHost: api\r\nX: {'a' * 200_000}\r\n\r\n"
    assert statuses(await said(address, endless.encode())) == [400]
    many = "".join(f"X-{number}: a\r\n" for number in range(20_000))
    assert statuses(await said(address, f"GET / HTTP/1.1\r\nHost: api\r\n{many}\r\n".encode())) == [400]
    long = (
        f"GET {PREFIX}/trends HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {'a' * 9000}\r\nConnection: close\r\n\r\n"
    )
    assert statuses(await said(address, long.encode())) == [401]


class AcmesToken:
    """One ingest token, of one organisation."""

    async def grant(self, digest: bytes) -> Grant | None:
        return Grant("acme", frozenset({Scope.INGEST}), "acme") if digest == token_digest("good") else None

    async def any_ingest(self) -> bool:
        return True


async def test_no_export_hides_in_the_body_of_another(start_collector: Any) -> None:
    collector = await start_collector(tokens=AcmesToken())
    outer = "POST /v1/traces HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n"
    for name, inner in SMUGGLED.items():
        answer = await said(collector.at.http, (outer + inner).encode())
        assert statuses(answer) in ([400], [501]), (name, answer)


METADATA: list[list[tuple[str, str | bytes]]] = [
    [("authorization-bin", b"Bearer good")],
    [("authorization", "bearer")],
    [("authorization", "Bearer good"), ("authorization", "Bearer good")],
    [("authorization", "Bearer other"), ("authorization", "Bearer good")],
    [("authorization", "Basic good")],
    [("x-authorization", "Bearer good"), ("token", "good")],
    [("authorization", "Bearer " + token_digest("good").hex())],
]


async def test_odd_metadata_opens_no_door(start_collector: Any) -> None:
    collector = await start_collector(tokens=AcmesToken())
    async with grpc.aio.insecure_channel(str(collector.at.grpc)) as channel:
        for metadata in METADATA:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await channel.unary_unary(EXPORT)(export(span()), metadata=metadata)
            assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED, metadata
            assert "good" not in (refusal.value.details() or "")
        huge = [("authorization", "Bearer good"), *((f"x-{number}", os.urandom(4000).hex()) for number in range(8))]
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await channel.unary_unary(EXPORT)(export(span()), metadata=huge)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not collector.ledger.records
