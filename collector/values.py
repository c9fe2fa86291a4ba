"""Attribute values as OTLP sends them, made into the few Python values a usage record needs.

Counts are believed only in the forms that can be exact; text is stripped of control characters and capped; payloads
stay bytes. Which attribute means what is none of this module's business.
"""

import math
import re
import struct
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final, NamedTuple

from collector import otlp_lite
from finops.agent_names import AGENT_CHARACTERS_MAX, shortened
from finops.money import pico

TEXT_CAPS: Final = {"session": 256, "agent": AGENT_CHARACTERS_MAX, "model": 128, "id": 256, "text": 128, "url": 512}
PAYLOAD_BYTES_MAX: Final = 262_144
"""A JSON attribute larger than this is not opened."""
COUNT_MAX: Final = 1 << 53

_DOUBLE: Final = 0x21
_NUMBERS: Final = (0x10, 0x18)
_WITH_LENGTH: Final = (0x0A, 0x2A, 0x32, 0x3A)
"""First bytes of an AnyValue's fields: their numbers and how they are sent."""
_ALL_BITS: Final = (1 << 64) - 1
_NAMES: Final = (
    "", "string_value", "bool_value", "int_value", "double_value", "array_value", "kvlist_value", "bytes_value",
)  # fmt: skip
_DIGITS = re.compile(rb"[0-9]{1,12}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_INVALID_UTF8 = "replace"


class Bad(Enum):
    """A value that was sent and cannot be what its key says."""

    COUNT = "bad_usage"


Value = int | str | bytes | bool | Bad
"""What an attribute is worth after reading; which of these depends on the kind of its key."""


Said = dict[str, Any]
"""A span's wanted attributes, each a ``Value`` whose type the kind of the key fixes; '' is never a key."""


class Pair(NamedTuple):
    """One attribute, still bytes: the key, the AnyValue's field number (0 where it is empty) and its content."""

    key: bytes
    field: int
    content: bytes | int


def read_key(pair: bytes) -> bytes:
    """The key of a KeyValue message in its usual form, without reading the value; b'' where the form is unusual."""
    if len(pair) > 2 and pair[0] == 0x0A and pair[1] < 0x80:
        return pair[2 : 2 + pair[1]]
    return b""


def read_pair(pair: bytes) -> Pair | None:
    """A KeyValue message; None where it does not parse."""
    key = read_key(pair)
    position = 2 + len(key)
    if key and position < len(pair) and pair[position] == 0x12:
        length, start = otlp_lite.read_varint(pair, position + 1)
        if start + length == len(pair):
            return _read_any(key, pair, start)
    message = otlp_lite.parse_or_none(otlp_lite.KeyValue, pair)
    return None if message is None else _pair_of(message.key, message.value)


def _read_any(key: bytes, data: bytes, start: int) -> Pair | None:
    """The AnyValue that ends with ``data``. One of a single whole field is read here, any other by protobuf."""
    end = len(data)
    if start == end:
        return Pair(key, 0, b"")
    tag = data[start]
    if tag == _DOUBLE and start + 9 == end:
        return Pair(key, 4, data[start + 1 :])
    number, after = otlp_lite.read_varint(data, start + 1)
    if tag in _NUMBERS and after == end and number < 1 << 63:
        return Pair(key, tag >> 3, number)
    if tag in _WITH_LENGTH and after + number == end:
        return Pair(key, tag >> 3, data[after:])
    message = otlp_lite.parse_or_none(otlp_lite.AnyValue, data[start:])
    return None if message is None else _pair_of(key, message)


def _pair_of(key: bytes, value: "otlp_lite.Message") -> Pair:
    name = value.WhichOneof("value") or ""
    field = _NAMES.index(name)
    if field == 0:
        return Pair(key, 0, b"")
    if field == 4:
        return Pair(key, 4, value.double_value.to_bytes(8, "little"))
    content: bytes | int = getattr(value, name)
    return Pair(key, field, content & _ALL_BITS if isinstance(content, int) else content)


def any_value(field: int, content: bytes | int) -> "otlp_lite.Message":
    """The AnyValue message of which a pair was read."""
    value = otlp_lite.AnyValue()
    if isinstance(content, int):
        setattr(value, _NAMES[field], bool(content) if field == 2 else content - (content >> 63 << 64))
    elif field:
        setattr(value, _NAMES[field], int.from_bytes(content, "little") if field == 4 else content)
    return value


def count_of(field: int, content: bytes | int) -> int | Bad | None:
    """A count of tokens: a non-negative integer, a string of up to twelve digits, or a double that is integral."""
    if field == 3:
        number = int(content)
        return number if number < 1 << 63 else Bad.COUNT
    if field == 1 and isinstance(content, bytes):
        return int(content) if _DIGITS.match(content) else Bad.COUNT
    if field == 4 and isinstance(content, bytes):
        return count_of_number(_double(content))
    return None if field == 0 else Bad.COUNT


def count_of_number(number: float | None) -> int | Bad | None:
    """The same rule for a number out of JSON."""
    if number is None:
        return None
    if isinstance(number, bool) or not math.isfinite(number) or number != int(number):
        return Bad.COUNT
    return int(number) if 0 <= number < 1 << 63 and (isinstance(number, int) or number < COUNT_MAX) else Bad.COUNT


def text_of(field: int, content: bytes | int, cap: int) -> str | None:
    """Clean text of at most ``cap`` characters; None where there is none."""
    if field == 1 and isinstance(content, bytes):
        return clean_text(content[: 4 * cap + 4096].decode("utf-8", _INVALID_UTF8), cap)
    if field == 3:
        number = int(content)
        return str(number - (1 << 64) if number >= 1 << 63 else number)
    if field == 5 and isinstance(content, bytes):
        first = _read_any(b"", content, 2) if content[:1] == b"\x0a" and len(content) > 2 else None
        return text_of(first.field, first.content, cap) if first and first.field == 1 else None
    return None


def clean_text(text: str, cap: int) -> str | None:
    """Without control characters and surrounding space; longer than ``cap``: cut, with the hash of the whole behind."""
    if not text.isprintable():
        text = _CONTROL.sub("", text)
    text = text.strip()
    return (text if len(text) <= cap else shortened(text, cap)) or None


def flag_of(field: int, content: bytes | int) -> bool | None:
    """True or false, as a boolean or as the words."""
    if field == 2:
        return bool(content)
    if field == 1 and isinstance(content, bytes):
        return {b"true": True, b"false": False}.get(content.lower())
    return None


def money_of(field: int, content: bytes | int) -> int | None:
    """Dollars as pico-USD; None where it is no believable amount. Doubles go through their shortest decimal text."""
    if field == 4 and isinstance(content, bytes):
        return dollars(repr(_double(content)))
    if field == 1 and isinstance(content, bytes) and len(content) <= 40:
        return dollars(content.decode("ascii", _INVALID_UTF8))
    return dollars(str(content)) if field == 3 else None


def nanos_of(field: int, content: bytes | int) -> int | None:
    """Seconds as nanoseconds; None where it is no duration of less than a day."""
    seconds = _double(content) if field == 4 and isinstance(content, bytes) else -1.0
    return int(seconds * 1e9) if 0 <= seconds < 86_400 else None


def dollars(text: str) -> int | None:
    """Decimal text as pico-USD; None where it is not a positive amount below ten million dollars."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 < amount < 10_000_000:
        return None
    return pico(amount)


def payload_of(field: int, content: bytes | int) -> bytes | None:
    """The bytes of a text attribute that holds JSON, where they are few enough to be opened."""
    if field == 1 and isinstance(content, bytes) and 1 < len(content) <= PAYLOAD_BYTES_MAX:
        return content
    return None


def _double(content: bytes) -> float:
    if len(content) != 8:
        return math.nan
    number: float = struct.unpack("<d", content)[0]
    return number
