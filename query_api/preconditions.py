"""Changes that are made only while nobody else has made another: tags of what is stated, and If-Match.

The tag of an answer that also tells what nobody stated, such as spend, has two halves: of what is stated, and of all
of it. ``If-Match`` asks for the first alone, so that a call that was just paid for is no change of its budget. A tag
that a proxy has marked weak counts: what is compared is not the bytes that it may have changed.
"""

from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple

from query_api.problems import Fault, Problem
from query_api.wire import encode

HALF_CHARACTERS = 32


class Conditions(NamedTuple):
    """What a request makes its change depend on; None: nothing."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, stated: str | None) -> None:
        """Raises a 412 problem unless both hold. ``stated`` is the tag of what is there, without quotes, or None."""
        if self.if_match is not None and not _names(self.if_match, stated):
            there = "nothing is stated here" if stated is None else "what is stated here is not what the tag was of"
            raise _failed("If-Match", f"{there}: read it again")
        if self.if_none_match is not None and _names(self.if_none_match, stated):
            raise _failed("If-None-Match", "something is stated here already")


def half(tree: object) -> str:
    """The tag of a JSON tree, without quotes."""
    return half_of(encode(tree))


def half_of(body: bytes) -> str:
    """The tag of an encoded tree, without quotes."""
    return sha256(body).hexdigest()[:HALF_CHARACTERS]


def quoted(tag: str) -> str:
    """A tag as headers have it."""
    return f'"{tag}"'


def _names(header: str, stated: str | None) -> bool:
    if stated is None:
        return False
    asked = [one.strip() for one in header.split(",")]
    return "*" in asked or any(one.removeprefix("W/").strip('"').partition("-")[0] == stated for one in asked)


def _failed(header: str, detail: str) -> Problem:
    return Problem(HTTPStatus.PRECONDITION_FAILED, detail, [Fault("header", header, detail)])
