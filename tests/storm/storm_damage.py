"""Exports damaged as the wire format allows: fields retyped, relabelled, cut, doubled, moved, nested and overstated.

A message is walked as far as its bytes read as fields, so that damage lands on every level: on exports, spans,
attributes and their values, and not only in the text that most bytes are.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

DEPTH_MAX = 6
NESTED = 150
"""Levels of a nest: deeper than protobuf reads."""
ODD_NUMBERS = (0, 1, 127, 128, 2**31, 2**32 - 1, 2**53 + 1, 2**63, 2**64 - 1)


class Field(NamedTuple):
    """One field of a message: its tag, and its content without any length."""

    tag: int
    content: bytes

    def written(self) -> bytes:
        """As it is sent."""
        length = varint(len(self.content)) if self.tag & 7 == 2 else b""
        return varint(self.tag) + length + self.content


def varint(number: int) -> bytes:
    """As many bytes as it takes."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def fields_of(data: bytes) -> list[Field] | None:
    """The fields of a message; None where the bytes are none."""
    found, at = [], 0
    while at < len(data):
        tag, at = _number(data, at)
        kind = tag & 7
        if kind == 2:
            size, at = _number(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        elif kind == 0:
            size = _number(data, at)[1] - at
        else:
            return None
        if not tag >> 3 or at + size > len(data):
            return None
        found.append(Field(tag, data[at : at + size]))
        at += size
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
        shift += 7
    return 0, len(data) + 1


def damaged(chance: random.Random, body: bytes) -> bytes:
    """The export with one to four faults in it."""
    for _ in range(chance.randint(1, 4)):
        body = _damaged_once(chance, body, 0)
    return body


def _damaged_once(chance: random.Random, data: bytes, depth: int) -> bytes:
    fields = fields_of(data)
    if not fields:
        return _damaged_bytes(chance, data)
    at = chance.randrange(len(fields))
    chosen = fields[at]
    deeper = chosen.tag & 7 == 2 and chosen.content and depth < DEPTH_MAX
    if deeper and chance.random() < 0.85:
        inner = _damaged_once(chance, chosen.content, depth + 1)
        fields[at] = chosen._replace(content=inner)
        return _joined(fields)
    return chance.choice(FAULTS)(chance, fields, at)


def _joined(fields: list[Field]) -> bytes:
    return b"".join(field.written() for field in fields)


def _damaged_bytes(chance: random.Random, data: bytes) -> bytes:
    """Of a text, mostly: bytes that are no UTF-8, none at all, or other ones."""
    at = chance.randrange(len(data) + 1)
    return chance.choice((data[:at] + b"\xff\xc0" + data[at:], data[:at], b"", data[:at] + chance.randbytes(3)))


def _drop(chance: random.Random, fields: list[Field], at: int) -> bytes:
    return _joined(fields[:at] + fields[at + 1 :])


def _double(chance: random.Random, fields: list[Field], at: int) -> bytes:
    return _joined([*fields, fields[at]])


def _reorder(chance: random.Random, fields: list[Field], at: int) -> bytes:
    return _joined(chance.sample(fields, len(fields)))


def _retype(chance: random.Random, fields: list[Field], at: int) -> bytes:
    """The content stays, the way it is sent is another."""
    other = fields[at].tag & ~7 | chance.randrange(8)
    return _spliced(fields, at, varint(other) + fields[at].content)


def _relabel(chance: random.Random, fields: list[Field], at: int) -> bytes:
    other = chance.randint(1, 16) << 3 | fields[at].tag & 7
    return _joined([*fields[:at], fields[at]._replace(tag=other), *fields[at + 1 :]])


def _overstate(chance: random.Random, fields: list[Field], at: int) -> bytes:
    """A length that is not its content's."""
    size = chance.choice((*ODD_NUMBERS, len(fields[at].content) + 1, max(0, len(fields[at].content) - 1)))
    return _spliced(fields, at, varint(fields[at].tag) + varint(size) + fields[at].content)


def _huge(chance: random.Random, fields: list[Field], at: int) -> bytes:
    """A number of every size, and one that never ends."""
    number = chance.choice((*map(varint, ODD_NUMBERS), b"\xff" * 10, b"\xff" * 9 + b"\x01", b"\x85"))
    return _spliced(fields, at, varint(fields[at].tag & ~7) + number)


def _nest(chance: random.Random, fields: list[Field], at: int) -> bytes:
    content = fields[at].content
    for _ in range(NESTED):
        content = Field(fields[at].tag & ~7 | 2, content).written()
    return _spliced(fields, at, content)


def _cut(chance: random.Random, fields: list[Field], at: int) -> bytes:
    whole = _joined(fields)
    return whole[: chance.randrange(len(whole) + 1)]


def _spliced(fields: list[Field], at: int, raw: bytes) -> bytes:
    return _joined(fields[:at]) + raw + _joined(fields[at + 1 :])


FAULTS: tuple[Callable[[random.Random, list[Field], int], bytes], ...] = (
    _drop, _double, _reorder, _retype, _relabel, _overstate, _huge, _nest, _cut,
)  # fmt: skip
