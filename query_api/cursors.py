"""Cursors as opaque text: what a page ended with, bound to the question it answers. A cursor says nothing secret."""

import base64
import binascii
import json
from hashlib import sha256

LENGTH_MAX = 16_384
"""Characters; ten names of the longest kind fit."""


def question_digest(*parts: object) -> str:
    """What tells one question from another."""
    return sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def cursor_text(digest: str, values: list[object]) -> str:
    """``values`` (JSON) as a cursor of the question with this digest."""
    text = json.dumps([digest, *values], ensure_ascii=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def cursor_values(text: str) -> tuple[str, list[object]]:
    """The digest and the values of a cursor; raises ``ValueError`` where it is none."""
    if len(text) > LENGTH_MAX or not text.isascii():
        raise ValueError("must be the nextCursor of the page before")
    try:
        tree = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError, ValueError, RecursionError):
        raise ValueError("must be the nextCursor of the page before") from None
    if not isinstance(tree, list) or not tree or not isinstance(tree[0], str):
        raise ValueError("must be the nextCursor of the page before")
    return tree[0], tree[1:]
