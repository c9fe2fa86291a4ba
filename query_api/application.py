"""The Starlette application made of the endpoint table: the same gate, the same checks and the same errors for all."""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from finops.access import Grant
from finops.access import Scope as Access
from finops.spans import LedgerUnavailable
from finops.stored_text import storable
from query_api.auth import Gate, keep_within, other_organisation
from query_api.exchange import Answer, Ask, Endpoint, Open
from query_api.parameters import read_query
from query_api.preconditions import Conditions
from query_api.problems import MEDIA_TYPE, Fault, Problem, bad_request, document, not_found
from query_api.streaming import StreamedResponse
from query_api.wire import decode, encode

BODY_BYTES_MAX = 64 * 1024
GZIP_BYTES_MIN = 1024
GZIP_LEVEL = 4
NOBODY = Grant("nobody", frozenset())
Wall = Callable[[str | None], AbstractContextManager[None]]

_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_log = logging.getLogger("query_api")


class _AnyText(Convertor[str]):
    """A path's rest, whatever characters it holds; never empty."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _AnyText())


class PathDoor:
    """All methods of one path: gate, query, body, answer; and every fault as a problem."""

    def __init__(self, endpoints: Mapping[str, Endpoint], gate: Gate, now: Callable[[], datetime], wall: Wall) -> None:
        self._endpoints = endpoints
        self._gate = gate
        self._now = now
        self._wall = wall
        self.endpoints = tuple(endpoints.values())
        heads = ["HEAD"] if "GET" in endpoints else []
        self._allow = ", ".join(sorted([*endpoints, *heads]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request as an ASGI application."""
        request = Request(scope, receive)
        with ExitStack() as behind_walls:  # until the last byte is sent: an answer may be read while it is sent
            try:
                response: ASGIApp = await self._response(request, behind_walls)
            except Problem as problem:
                response = problem_response(problem, request)
            except LedgerUnavailable:
                response = problem_response(_ledger_is_away(), request)
            await response(scope, receive, send)

    async def _response(self, request: Request, behind_walls: ExitStack) -> ASGIApp:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            detail = f"{request.method} is not allowed here; allowed: {self._allow}"
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"Allow": self._allow})
        if "transfer-encoding" in request.headers and "content-length" in request.headers:
            detail = (
                "both Content-Length and Transfer-Encoding were sent: whoever stands in front may read another request"
            )
            raise Problem(HTTPStatus.BAD_REQUEST, detail, headers={"Connection": "close"})
        grant = NOBODY
        if not isinstance(endpoint.scope, Open):
            grant = await self._gate.admit(request.headers.getlist("authorization"), endpoint.scope)
            if endpoint.unbound and grant.org_id is not None:
                raise other_organisation(grant)
            behind_walls.enter_context(self._wall(grant.org_id))
        path = _path(request)
        if not _is_text(request.scope["query_string"]):
            raise bad_request([Fault("query", "", "is not UTF-8, percent-encoded")])
        values = read_query(endpoint.parameters, request.query_params.multi_items())
        keep_within(grant, values.get("orgId"))
        body = decode(await _body(request)) if endpoint.body is not None else None
        accept = request.headers.get("accept", "")
        reads = method == "GET"
        conditions = _conditions(request) if endpoint.tagged and not reads else Conditions()
        ask = Ask(grant, values, path, body, accept, self._now(), endpoint.path, conditions)
        answer = await endpoint.handle(ask)
        return _served(answer, request.headers.get("if-none-match") if reads else None)


def _ledger_is_away() -> Problem:
    detail = "the database does not answer in time"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"})


class _Application(Starlette):
    """Starlette, but for the paths in a hurry: they are found at once, by their whole name."""

    def __init__(self, hasty: Mapping[str, PathDoor], **told: Any) -> None:
        super().__init__(**told)
        self._hasty = {path: ServerErrorMiddleware(door, handler=_bug) for path, door in hasty.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Starlette's."""
        door = self._hasty.get(scope["path"]) if scope["type"] == "http" else None
        await (super().__call__ if door is None else door)(scope, receive, send)


def application(
    endpoints: Iterable[Endpoint], gate: Gate, now: Callable[[], datetime], wall: Wall = lambda org_id: nullcontext()
) -> Starlette:
    """The ASGI application of the table.

    ``wall`` is put around all work for one organisation, or for all of them (None). Raises ``TypeError`` where a row
    does not say who may ask.
    """
    paths: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        if not isinstance(endpoint.scope, Access | Open):
            raise TypeError(f"{endpoint.method} {endpoint.path} does not say who may ask")
        paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    doors = {path: PathDoor(methods, gate, now, wall) for path, methods in paths.items()}
    routes = [Route(path, door, methods=_only(path, paths)) for path, door in doors.items()]
    app = _Application(
        {path: door for path, door in doors.items() if all(one.hasty for one in door.endpoints)},
        routes=routes,
        middleware=[Middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=GZIP_LEVEL)],
        exception_handlers={HTTPException: _http_fault, Exception: _bug},
    )
    app.router.redirect_slashes = False
    return app


def _only(path: str, paths: Mapping[str, Mapping[str, Endpoint]]) -> list[str] | None:
    """The methods a path is matched for: all, but where any text may stand in its place, its own."""
    anything = [other.partition("{")[0] for other in paths if other.endswith(":text}")]
    if "{" in path or not any(path.startswith(start) for start in anything):
        return None
    return list(paths[path])


def problem_response(problem: Problem, request: Request) -> Response:
    """A problem as a response."""
    content = encode(document(problem, request.scope.get("path", "")))
    return Response(content, int(problem.status), _HEADERS | problem.headers, MEDIA_TYPE)


def _served(answer: Answer, if_none_match: str | None) -> ASGIApp:
    headers = _HEADERS | dict(answer.headers)
    if answer.pieces is not None:
        return StreamedResponse(answer.pieces, headers | {"Content-Type": answer.media_type}, answer.stall_seconds)
    tag = headers.get("ETag")
    if tag is not None and if_none_match is not None and _matches(tag, if_none_match):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if answer.status is HTTPStatus.NO_CONTENT:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    return Response(answer.content, int(answer.status), headers | {"Content-Type": answer.media_type})


def _conditions(request: Request) -> Conditions:
    given = [", ".join(request.headers.getlist(name)) for name in ("if-match", "if-none-match")]
    return Conditions(*(one or None for one in given))


def _matches(tag: str, if_none_match: str) -> bool:
    asked = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return tag in asked or "*" in asked


def _is_text(encoded: bytes) -> bool:
    """Whether percent-encoded bytes are UTF-8."""
    try:
        unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _path(request: Request) -> dict[str, str]:
    path = {name: str(value) for name, value in request.path_params.items()}
    text = _is_text(request.scope.get("raw_path") or b"")
    faults = [
        Fault("path", name, "holds characters that cannot be stored" if text else "is not UTF-8, percent-encoded")
        for name, value in path.items()
        if not (text and storable(value))
    ]
    if faults:
        raise bad_request(faults)
    return path


async def _body(request: Request) -> bytes:
    content = bytearray()
    try:
        async for piece in request.stream():
            content += piece
            if len(content) > BODY_BYTES_MAX:
                detail = f"the body is larger than {BODY_BYTES_MAX} bytes"
                raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers={"Connection": "close"})
    except ClientDisconnect:
        raise bad_request([Fault("body", "", "the body ended early")]) from None
    return bytes(content)


async def _http_fault(request: Request, fault: Exception) -> Response:
    status = HTTPStatus(fault.status_code) if isinstance(fault, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    problem = not_found("no such path") if status is HTTPStatus.NOT_FOUND else Problem(status, status.phrase)
    return problem_response(problem, request)


async def _bug(request: Request, fault: Exception) -> Response:
    _log.error("%s %s failed: %s", request.method, request.scope.get("path", ""), type(fault).__name__, exc_info=fault)
    detail = "this is a fault of the service; its log says more"
    return problem_response(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail), request)
