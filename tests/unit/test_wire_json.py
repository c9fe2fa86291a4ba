"""Numbers keep every digit on the way in and out."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops.money import usd
from query_api.problems import Problem
from query_api.shapes import COUNT, MONEY, TEXT, Shape, field
from query_api.wire import DIGITS_MAX, decode, encode, money, number


@given(st.integers(-(10**30), 10**30))
def test_money_is_a_json_number_with_every_digit_and_no_exponent(pico: int) -> None:
    text = encode({"costUsd": number(usd(pico))}).decode()
    assert "e" not in text.partition(":")[2].lower()
    told = json.loads(text, parse_float=Decimal, parse_int=Decimal)["costUsd"]
    assert Fraction(told) == Fraction(pico, 10**12)
    assert encode({"costUsd": money(pico)}).decode() == text


def test_one_pico_dollar_is_written_out() -> None:
    assert encode(number(usd(1))) == b"0.000000000001"


def test_instants_are_rfc_3339_and_days_are_days() -> None:
    tree = {"at": datetime(2026, 3, 10, 12, 0, 0, 5000, tzinfo=UTC), "day": date(2026, 3, 10)}
    assert encode(tree) == b'{"at":"2026-03-10T12:00:00.005000Z","day":"2026-03-10"}'


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-1, max_value=1))
def test_decimals_come_in_as_they_were_written(amount: Decimal) -> None:
    assert decode(format(amount, "f").encode()) == amount


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b"-Infinity",
        b'{"a": 1, "a": 2}',
        b"\xff",
        b"[" * 100_000,
        b"1" * (DIGITS_MAX + 1),
        b'{"a": 1} x',
    ],
)
def test_malformed_json_is_a_400_that_says_what_is_wrong(body: bytes) -> None:
    with pytest.raises(Problem) as raised:
        decode(body)
    assert raised.value.status == 400
    assert raised.value.faults


def test_a_shape_tells_the_unsaid_as_null_and_the_unknown_as_null() -> None:
    class Row:
        calls = 1
        org_id = ""
        cost_pico = None

    shape = Shape(
        "Row",
        (
            field("calls", COUNT, "calls"),
            field("orgId", TEXT, "org_id"),
            field("costUsd", MONEY, "cost_pico", nullable=True),
        ),
    )
    assert shape.render(Row()) == {"calls": 1, "orgId": None, "costUsd": None}
    assert set(shape.schema()["properties"]) == {"calls", "orgId", "costUsd"}  # type: ignore[call-overload]
