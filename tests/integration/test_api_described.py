"""The API does what its description says, whatever it is asked: schemathesis makes requests from the OpenAPI document.

And wherever text can be sent in, it is sent what breaks into databases, logs and pages: nothing comes of it.
"""

import asyncio
import importlib.util
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from access_world import ADMIN, OWN, app_over, body_of, endpoints, fill, guarded, headers, make_tokens, path_of
from exports_world import EVIL

from doors.settings_values import Address
from finops.access import Scope
from ledger.pool import Pool
from query_api.exchange import Endpoint
from query_api.parameters import Parameter
from query_api.server import HttpServer

SECONDS_MAX = 12
TRENDS = "/api/v1/finops/trends"
HEADERS = headers(ADMIN, Scope.ADMIN)
INJECTIONS = [
    "' or '1'='1",
    "'; drop table entries; --",
    '"; select pg_sleep(9); --',
    "1) union select sha256::text from tokens --",
    "%s%(orgs)s{0}{grant.name}$1",
    "a\u0000b",
    "\ud800",
    "a\r\nSet-Cookie: x=1",
    "<script>alert(1)</script>",
    EVIL,
    "../../etc/passwd",
    "%00%0a%c0%ae",
    "\u202e\u2028\uffff" + "\U0001f4b8" * 50,
    "9" * 400,
    "1e999999999",
    "-0",
    "x" * 5000,
    "[" * 2000,
]


@pytest.fixture
async def address(ledger_pool: Pool) -> AsyncIterator[str]:
    """A whole query API behind a real server, with two organisations' spend."""
    await fill(ledger_pool)
    await make_tokens(ledger_pool)
    server = HttpServer(app_over(ledger_pool), Address("127.0.0.1", 0), 100)
    yield f"http://{await server.start()}"
    await server.stop(1)


@pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed: make setup"
)
@pytest.mark.timeout(180)
async def test_every_answer_is_one_that_the_document_describes(
    address: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    words = [
        "run",
        f"{address}/openapi.json",
        "--max-time",
        str(SECONDS_MAX),
        "--seed",
        "7",
        "--phases",
        "fuzzing",
        "--max-examples",
        "4",
    ]
    words += [
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    ]
    words += ["--header", f"Authorization: {HEADERS['Authorization']}", "--no-color", "--continue-on-failure"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", *words,
        cwd=tmp_path, env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode("utf-8", "replace")
    lines = [line.strip() for line in said.splitlines() if line.strip().startswith("Tested") or " generated, " in line]
    record_property("counted", f"schemathesis: {'; '.join(lines) or said[-200:]}")
    assert process.returncode == 0, said[-6000:]


class Found:
    """What came of the injections."""

    def __init__(self) -> None:
        self.asked = 0
        self.wrong: list[str] = []

    def note(self, what: str, answer: httpx2.Response, seconds: float) -> None:
        self.asked += 1
        told = answer.text
        odd = answer.status_code >= 500 and answer.status_code != 503
        if odd or seconds > 5 or "set-cookie" in answer.headers or "sha256" in told.replace("sha256::text", ""):
            self.wrong.append(f"{what}: {answer.status_code} after {seconds:.1f} s, {told[:200]}")
        for word in ("psycopg", "syntax error", "Traceback", "SELECT ", "pg_catalog"):
            if word in told:
                self.wrong.append(f"{what} tells {word}: {told[:200]}")
        media = answer.headers.get("content-type", "")
        if answer.status_code >= 400 and not media.startswith("application/problem+json"):
            self.wrong.append(f"{what}: {answer.status_code} as {media}")


@pytest.mark.timeout(180)
async def test_nothing_that_is_sent_in_is_ever_carried_out(
    ledger_pool: Pool, record_property: Callable[[str, object], None]
) -> None:
    await fill(ledger_pool)
    await make_tokens(ledger_pool)
    app, found = app_over(ledger_pool), Found()
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://api", timeout=30) as api:

        async def ask(what: str, method: str, path: str, **more: Any) -> None:
            begun = time.monotonic()
            try:
                answer = await api.request(method, path, **({"headers": HEADERS} | more))
            except (UnicodeEncodeError, httpx2.InvalidURL):
                return
            found.note(what, answer, time.monotonic() - begun)

        before = await counts(ledger_pool)
        for text in INJECTIONS:
            for authorization in (f"Bearer {text}", text):
                await ask(f"token {text!r:.40}", "GET", TRENDS, headers={"Authorization": as_header(authorization)})
            for endpoint in endpoints(app):
                for names in (everything(endpoint), [one.name for one in endpoint.parameters if takes(one, text)]):
                    query = "&".join(encoded(name, text) for name in names)
                    what = f"{endpoint.method} {endpoint.path} {names}={text!r:.40}"
                    at = f"{path_of(endpoint, OWN)}?{query}"
                    await ask(what, endpoint.method, at, json=body_of(endpoint, OWN))
                if "{" in endpoint.path:
                    at = endpoint.path.partition("{")[0] + encoded("", text)[1:]
                    await ask(f"{endpoint.method} {at:.60}", endpoint.method, at, json=body_of(endpoint, OWN))
            for endpoint in guarded(app):
                least: Any = body_of(endpoint, OWN) or {}
                properties: Any = (endpoint.body or {}).get("properties", {})
                texts = {name: text for name, schema in properties.items() if schema.get("type") == "string"}
                for more in (texts, dict.fromkeys(properties, text)) if properties else ():
                    content = json.dumps(least | more).encode("utf-8", "surrogatepass")
                    what = f"{endpoint.method} {endpoint.path} {sorted(more)}={text!r:.40}"
                    await ask(what, endpoint.method, path_of(endpoint, OWN), content=content)
        after = await counts(ledger_pool)
    record_property("counted", f"injections: {found.asked} requests, {len(found.wrong)} findings")
    assert not found.wrong, "\n".join(found.wrong[:20])
    assert after == before, "spans or tokens came or went"
    assert found.asked > 800


def everything(endpoint: Endpoint) -> list[str]:
    return [parameter.name for parameter in endpoint.parameters]


def takes(parameter: Parameter, text: str) -> bool:
    """Whether the text gets past the door, and so into a statement."""
    try:
        parameter.read(text)
    except ValueError:
        return False
    return True


def encoded(name: str, text: str) -> str:
    """A query or the end of a path, whatever the text holds."""
    raw = text.encode("utf-8", "surrogatepass")
    return f"{name}=" + "".join(f"%{byte:02X}" for byte in raw)


def as_header(text: str) -> str:
    """What can be written into a header at all."""
    return text.encode("ascii", "ignore").decode().replace("\r", "").replace("\n", "").replace("\x00", "")


async def counts(pool: Pool) -> list[tuple[Any, ...]]:
    """Whether anything was carried out."""
    statement = "select (select count(*) from spans), (select count(*) from tokens), (select min(seq) from audit)"
    async with pool.connection() as connection:
        return await (await connection.execute(statement)).fetchall()
