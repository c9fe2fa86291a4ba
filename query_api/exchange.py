"""One request understood and one answer given; an endpoint is the table row that joins them."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from finops.access import Grant, Scope
from finops.reports import Stated
from query_api.parameters import Parameter, Values
from query_api.preconditions import Conditions, half, half_of, quoted
from query_api.shapes import Schema, Shape
from query_api.streaming import Pieces
from query_api.wire import encode

JSON = "application/json"

Rows = TypeVar("Rows")


class Open(Enum):
    """For paths that need no token: they tell nothing about anyone's spend."""

    TO_ALL = "no token"


class Ask(NamedTuple):
    """A request that was let in, with everything in it read and checked against its endpoint's row."""

    grant: Grant
    values: Values
    """Query parameters by name."""
    path: Mapping[str, str]
    body: object
    """Decoded JSON of a PUT; None otherwise."""
    accept: str
    now: datetime
    route: str = ""
    """The path of its row."""
    conditions: Conditions = Conditions()
    """Of a change; it checks them inside its transaction."""


class Answer(NamedTuple):
    """What goes back."""

    content: bytes
    media_type: str = JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = {}
    pieces: Pieces | None = None
    """Sent instead of the content, one by one."""
    stall_seconds: float = 30.0
    """How long a reader of pieces may take nothing."""


class Endpoint(NamedTuple):
    """One method of one path: who may call it, what it takes, and what it answers."""

    method: str
    path: str
    scope: Scope | Open
    handle: Callable[[Ask], Awaitable[Answer]]
    summary: str
    parameters: tuple[Parameter, ...] = ()
    answer: Shape | None = None
    many: bool = False
    """The answer is an array of the shape."""
    body: Schema | None = None
    media_type: str = JSON
    other_media_types: tuple[str, ...] = ()
    """That can be asked for instead; 406 where this server cannot."""
    unbound: bool = False
    """What it touches holds for all organisations, so a token that is bound to one may not."""
    tagged: bool = False
    """Its answer has a tag; a change can be made to depend on one."""
    hasty: bool = False
    """Asked often and answered shortly: past the search through all paths, and never compressed."""


def told(shape: Shape, row: object, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """One object."""
    return Answer(encode(shape.render(row)), status=status)


def told_tagged(shape: Shape, row: object, stated: str, tells_more: bool = False) -> Answer:
    """One object that can be changed, under the tag of what is stated; ``tells_more`` than that, such as spend."""
    tree = shape.render(row)
    tag = f"{stated}-{half(tree)}" if tells_more else stated
    return Answer(encode(tree), headers={"ETag": quoted(tag), "Cache-Control": "private, no-cache"})


def costs_told(tree: object, stated: Stated[Rows], but: str = "") -> Answer:
    """A cost answer: with the instant it is complete through, what is not in it yet, and a tag of the content.

    ``but`` is a field of the tree that changes with time alone: the tag leaves it out.
    """
    body = encode(tree)
    tagged = {name: value for name, value in tree.items() if name != but} if but and isinstance(tree, dict) else None
    headers = {
        "X-Finops-Complete-Through": stated.complete_through.isoformat().replace("+00:00", "Z"),
        "X-Finops-Pending-Ranges": str(stated.pending_ranges),
        "ETag": quoted(half_of(body if tagged is None else encode(tagged))),
        "Cache-Control": "private, no-cache",
    }
    return Answer(body, headers=headers)
