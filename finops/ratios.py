"""Quotients told as decimals: shares, ratios and rates are not money, and only what never ends is rounded."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

DIGITS_UNROUNDED = 12
"""A quotient without a finite decimal form is told to this many decimals, halves to even."""

_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)


def decimal_of(exact: Fraction) -> Decimal:
    """The fraction as a decimal without trailing zeros: exact where it ends, else half-even to 12 decimals."""
    digits = DIGITS_UNROUNDED if _never_ends(exact.denominator) else _decimals(exact.denominator)
    return plain(Decimal(round(exact * 10**digits)).scaleb(-digits, _EXACT))


def share(part: int | None, whole: int | None) -> Decimal | None:
    """part / whole; None where one is unknown or the whole is nothing."""
    return decimal_of(Fraction(part, whole)) if part is not None and whole else None


def _never_ends(denominator: int) -> bool:
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator != 1


def _decimals(denominator: int) -> int:
    digits = 0
    while 10**digits % denominator:
        digits += 1
    return digits


def plain(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent."""
    normal = value.normalize(_EXACT)
    exponent = normal.as_tuple().exponent
    return normal if isinstance(exponent, int) and exponent <= 0 else normal.quantize(Decimal(1), context=_EXACT)
