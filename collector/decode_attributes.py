"""A span's wanted attributes, read from protobuf or JSON into the same few values.

Attribute pairs repeat from span to span (provider, model, flags), so the bytes of a pair that was read once are
remembered with their meaning. Pairs that are not wanted are neither looked at nor kept.
"""

from typing import Final

from collector import dialects_table as table
from collector import otlp_lite
from collector.decode_json import JsonAttribute, json_any
from collector.values import (
    TEXT_CAPS,
    Said,
    Value,
    count_of,
    flag_of,
    money_of,
    nanos_of,
    payload_of,
    read_key,
    read_pair,
    text_of,
)

PAIRS_MAX: Final = 16_384
"""Attribute pairs remembered with their meaning; when full, all are forgotten."""
PAIR_BYTES_MAX: Final = 160
"""Longer pairs are not remembered."""

_KINDS: Final = {key.encode(): (key, kind) for key, kind in table.key_kinds().items()}
_BILLING: Final = frozenset(
    source.key for field in table.FIELDS.values() for source in field.sources
    if field.kind in ("count", "model", "payload") or field.name in ("provider", "service_tier", "cache_hit")
)  # fmt: skip
_UNREMEMBERED: Final = frozenset(("id", "payload"))
_COMMON_COUNTS: Final = range(256)
_SHORT_TEXT: Final = frozenset(TEXT_CAPS)

_pairs: dict[bytes, tuple[str, Value]] = {}


class Unreadable(ValueError):
    """An attribute that money may depend on is damaged."""


def pairs_remembered() -> int:
    """How many attribute pairs are remembered now; at most ``PAIRS_MAX``."""
    return len(_pairs)


def read_attributes(pairs: "otlp_lite.Repeated") -> Said | None:
    """The wanted attributes; None where one that money depends on is there twice with different values.

    Raises:
        Unreadable: the bytes of one make no sense, and it is wanted or cannot be told.
    """
    said: Said = {}
    remembered, wanted, found = _pairs.get, _KINDS, 0
    for pair in pairs:
        length = len(pair)
        known = remembered(pair) if length <= PAIR_BYTES_MAX else None
        if known is None:
            # What read_key does, without a call: most attributes end here.
            if (
                length > 2
                and pair[0] == 0x0A
                and (end := 2 + pair[1]) < 0x82
                and end < length
                and pair[end] == 0x12
                and pair[2:end] not in wanted
            ):
                continue
            known = _read_wanted(pair)
            if known is None:
                continue
        said[known[0]] = known[1]
        found += 1
    return said if found == len(said) else _without_repeats(pairs)


def _without_repeats(pairs: "otlp_lite.Repeated") -> Said | None:
    """The slow way, where an attribute is there twice: the first one holds."""
    said: Said = {}
    for pair in pairs:
        known = _read_wanted(pair)
        if known is not None and said.setdefault(known[0], known[1]) != known[1] and known[0] in _BILLING:
            return None
    return said


def _read_wanted(pair: bytes) -> tuple[str, Value] | None:
    key = read_key(pair)
    wanted = _KINDS.get(key)
    if wanted is None:
        if key and pair[2 + len(key) : 3 + len(key)] == b"\x12":
            return None
        unusual = read_pair(pair)
        if unusual is None:
            raise Unreadable
        wanted = _KINDS.get(unusual.key)
        if wanted is None:
            return None
    name, kind = wanted
    value = _short_value(pair, 2 + len(key), kind) if key else None
    if value is None:
        read = read_pair(pair)
        if read is None:
            raise Unreadable
        value = value_of(kind, read.field, read.content)
        if value is None:
            return None
    if len(pair) <= PAIR_BYTES_MAX and kind not in _UNREMEMBERED and (kind != "count" or value in _COMMON_COUNTS):
        if len(_pairs) >= PAIRS_MAX:
            _pairs.clear()
        _pairs[pair] = (name, value)
    return name, value


def _short_value(pair: bytes, at: int, kind: str) -> Value | None:
    """The commonest values without a detour: a count below 2^21, plain text of fewer than 100 characters."""
    size = len(pair) - at
    if size < 4 or pair[at] != 0x12 or pair[at + 1] != size - 2:
        return None
    if kind == "count":
        if pair[at + 2] != 0x18 or size > 6:
            return None
        number, end = otlp_lite.read_varint(pair, at + 3)
        return number if end == len(pair) else None
    if kind in _SHORT_TEXT and size < 104 and pair[at + 2] == 0x0A and pair[at + 3] == size - 4 and pair.isascii():
        text = pair[at + 4 :].decode()
        if text.isprintable() and text[:1] not in ('"', " ", "") and text[-1:] != " ":
            return text
    return None


def value_of(kind: str, field: int, content: bytes | int) -> Value | None:
    """An attribute's value as its kind wants it; None where it says nothing."""
    if kind == "count":
        return count_of(field, content)
    if kind == "flag":
        return flag_of(field, content)
    if kind == "money":
        return money_of(field, content)
    if kind == "seconds":
        return nanos_of(field, content)
    if kind == "payload":
        return payload_of(field, content)
    return _unquoted(text_of(field, content, TEXT_CAPS[kind]))


def _unquoted(text: str | None) -> str | None:
    """Some senders put JSON into every attribute: a word then comes in quotes."""
    if text and text[0] == '"' == text[-1]:
        return text[1:-1] or None
    return text


def read_json_attributes(attributes: list[JsonAttribute]) -> Said | None:
    """``read_attributes`` for OTLP/JSON."""
    said: Said = {}
    for attribute in attributes:
        wanted = _KINDS.get(attribute.key.encode("utf-8", "replace"))
        read = json_any(attribute.value) if wanted else None
        value = value_of(wanted[1], *read) if wanted and read else None
        if wanted is None or value is None:
            continue
        key = wanted[0]
        if key in said and said[key] != value:
            if key in _BILLING:
                return None
            continue
        said[key] = value
    return said
