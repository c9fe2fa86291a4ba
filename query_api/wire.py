"""JSON in and out. Numbers keep every digit both ways: money never meets a float, and is never written as 1e-6."""

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import NoReturn

import msgspec

from finops.money import usd_text
from query_api.problems import Fault, bad_request

DIGITS_MAX = 400
"""Longer numbers in a body are refused before anything computes with them."""

_encoder = msgspec.json.Encoder()


def number(value: Decimal) -> msgspec.Raw:
    """A JSON number with all its digits and no exponent."""
    return msgspec.Raw(format(value, "f").encode())


def money(pico: int) -> msgspec.Raw:
    """Pico-USD as a JSON number of dollars with all its digits."""
    return msgspec.Raw(usd_text(pico).encode())


def encode(tree: object) -> bytes:
    """JSON of dictionaries, sequences, text, whole numbers, dates, aware instants, ``None`` and ``number`` results."""
    return _encoder.encode(tree)


def decode(body: bytes) -> object:
    """The JSON of a request's body, decimals as ``Decimal``; raises a 400 problem saying what is malformed."""
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_decimal,
            parse_constant=_not_finite,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError:
        raise bad_request([Fault("body", "", "the body is not UTF-8")]) from None
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno} column {fault.colno}"
        raise bad_request([Fault("body", "", f"the body is not JSON: {fault.msg} at {where}")]) from None
    except RecursionError:
        raise bad_request([Fault("body", "", "the body is nested too deeply")]) from None


def _decimal(text: str) -> Decimal:
    if len(text) > DIGITS_MAX:
        raise bad_request([Fault("body", "", f"a number has more than {DIGITS_MAX} digits")])
    try:
        return Decimal(text)
    except InvalidOperation:
        raise bad_request([Fault("body", "", "a number has an exponent beyond belief")]) from None


def _not_finite(text: str) -> NoReturn:
    raise bad_request([Fault("body", "", f"{text} is not a number JSON knows")])


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise bad_request([Fault("body", name, "is given twice") for name in twice])
    return found
