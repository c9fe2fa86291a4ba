"""Money is an integer count of pico-USD (1e-12 USD); a rate is an integer count of femto-USD (1e-15 USD) per token.

Every public price but a few float artefacts is a whole number of pico-USD per token, and every one is exact in femto.
An amount is rounded once, half to even, when a line is made; sums are sums of stored lines and never round again.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

PICO_PER_USD = 10**12
FEMTO_PER_USD = 10**15
FEMTO_PER_PICO = 1000

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def divide_half_even(numerator: int, denominator: int) -> int:
    """numerator / denominator as an integer, halves to even. The denominator must be positive."""
    quotient, remainder = divmod(numerator, denominator)
    doubled = 2 * remainder
    if doubled > denominator or (doubled == denominator and quotient % 2):
        return quotient + 1
    return quotient


def amount_pico(tokens: int, rate_femto: int) -> int:
    """What ``tokens`` cost at ``rate_femto`` femto-USD a token, in pico-USD."""
    return divide_half_even(tokens * rate_femto, FEMTO_PER_PICO)


def usd(pico: int) -> Decimal:
    """Exact dollars, without trailing zeros and never in exponent form when printed with ``format(x, 'f')``."""
    value = Decimal(pico).scaleb(-12, _EXACT)
    normal = value.normalize(_EXACT)
    return normal if normal.as_tuple().exponent <= 0 else normal.quantize(Decimal(1), context=_EXACT)  # type: ignore[operator]


def usd_text(pico: int) -> str:
    """``usd`` in digits: all of them, no trailing zeros, no exponent. By text alone, since answers have thousands."""
    whole, part = divmod(abs(pico), PICO_PER_USD)
    digits = f"{whole}.{part:012}".rstrip("0") if part else str(whole)
    return f"-{digits}" if pico < 0 else digits


def pico(usd_amount: Decimal) -> int:
    """Dollars as pico-USD, rounded half to even."""
    return int(usd_amount.scaleb(12, _EXACT).quantize(Decimal(1), context=_EXACT))


def femto_per_token(usd_per_token: Decimal) -> int:
    """A rate in dollars per token as femto-USD per token, rounded half to even."""
    return int(usd_per_token.scaleb(15, _EXACT).quantize(Decimal(1), context=_EXACT))
