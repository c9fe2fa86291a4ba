"""What went wrong, as RFC 9457 ``application/problem+json``: every fault at once, each naming its field."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

MEDIA_TYPE = "application/problem+json"


class Fault(NamedTuple):
    """One thing wrong with a request."""

    place: str
    """'query', 'path', 'body' or 'header'."""
    name: str
    """The parameter or the field; '' where the whole place is at fault."""
    detail: str


class Problem(Exception):
    """An answer that is not the one asked for."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def bad_request(faults: Sequence[Fault]) -> Problem:
    """400: the request itself is malformed."""
    return Problem(HTTPStatus.BAD_REQUEST, _in_one_line(faults), faults)


def unprocessable(faults: Sequence[Fault]) -> Problem:
    """422: well formed, and still not acceptable."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _in_one_line(faults), faults)


def not_found(detail: str) -> Problem:
    """404."""
    return Problem(HTTPStatus.NOT_FOUND, detail)


def document(problem: Problem, instance: str) -> dict[str, object]:
    """The JSON of a problem."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.faults:
        body["errors"] = [{"in": place, "field": name, "detail": detail} for place, name, detail in problem.faults]
    return body


def _in_one_line(faults: Sequence[Fault]) -> str:
    return "; ".join(f"{name} {detail}" if name else detail for _, name, detail in faults)
