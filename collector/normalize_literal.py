"""Python literals and reprs, as some senders put them into attributes, rewritten to JSON token by token.

Nothing is evaluated and nothing nests deeper than the JSON decoder allows; whatever is not a plain literal is refused.
"""

import re
from typing import Final

import msgspec

LITERAL_BYTES_MAX: Final = 16_384
"""A literal larger than this is not opened."""

_TOKEN = re.compile(
    rb"""\s*(?:(?P<mark>[{}\[\]:,])|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>None|True|False)"""
    rb"""|'(?P<single>[^'\\\x00-\x1f"]*)'|"(?P<double>[^"\\\x00-\x1f]*)"|(?P<call>[A-Za-z_]\w*)\(|(?P<name>[A-Za-z_]\w*)=|(?P<close>\)))"""
)
_BARE = re.compile(rb"(?:[a-z_]{1,64}=(?:\d{1,12}|None)[ ,]*){1,32}")
"""The text of a pydantic object: ``total_tokens=3 prompt_tokens=2``."""
_GAP = re.compile(rb"[ ,]+")
_WORDS: Final = {b"None": b"null", b"True": b"true", b"False": b"false"}


def as_json(data: bytes) -> bytes:
    """JSON as it is; a Python literal or a repr such as ``Usage(a=1)`` rewritten to JSON token by token."""
    if _BARE.fullmatch(data):
        return _literal(b"x(" + _GAP.sub(b", ", data) + b")")
    if data[:1] != b"{" or data[1:2] == b"'":
        return _literal(data)
    return data


def _literal(data: bytes) -> bytes:
    if len(data) > LITERAL_BYTES_MAX:
        raise msgspec.DecodeError("a literal too large to open")
    out: list[bytes] = []
    position = 0
    stripped = data.rstrip()
    while position < len(stripped):
        token = _TOKEN.match(stripped, position)
        if token is None:
            raise msgspec.DecodeError("not a literal")
        out.append(_json_token(token))
        position = token.end()
    return b"".join(out)


def _json_token(token: re.Match[bytes]) -> bytes:
    kind, text = token.lastgroup, token[token.lastgroup or 0]
    if kind in ("mark", "number"):
        return text
    if kind == "word":
        return _WORDS[text]
    if kind in ("single", "double"):
        return b'"' + text + b'"'
    if kind == "name":
        return b'"' + text + b'":'
    return b"{" if kind == "call" else b"}"
