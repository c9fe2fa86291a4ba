"""Rows of operator rates as the queries give them."""

from collections.abc import Sequence
from datetime import datetime

from finops.rates import OperatorRate, StatedRates
from finops.usage import TokenUsage

KINDS = ("input", "cached", "cache_write_5m", "output", "reasoning")
"""Rates an operator may state, in the order of the columns."""


def operator_rate(row: Sequence[object]) -> OperatorRate:
    version, org_id, provider, model_id, ended, *rates, dated, effective_from, created_at, source, author, reason = row
    assert isinstance(effective_from, datetime)
    assert isinstance(created_at, datetime)
    return OperatorRate(
        version=number(version),
        org_id=str(org_id),
        provider=str(provider),
        model_id=str(model_id),
        ended=bool(ended),
        stated=StatedRates(**{kind: _optional(rate) for kind, rate in zip(KINDS, rates, strict=True)}),
        dated=bool(dated),
        effective_from=effective_from,
        created_at=created_at,
        source=str(source),
        author=str(author),
        reason=str(reason),
    )


def text_tokens(sums: Sequence[object]) -> TokenUsage:
    fresh, shown, cached, write, reasoning = (int(str(total)) for total in sums)
    return TokenUsage(fresh, shown, cached, write, reasoning_tokens=reasoning)


def number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _optional(value: object) -> int | None:
    return None if value is None else number(value)
