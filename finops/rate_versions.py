"""Which of an operator's versions of one rate holds when.

The last word counts. A version without a date of its own holds for every call that arrives after it, whenever the call
started; one with a date holds from that date. What was scheduled for a later date than "now" when the last word was
spoken stays scheduled. Ending a rate ends it from then on, whatever was scheduled; calls that started before keep it.
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from finops.rates import OperatorRate

BEGINNING_NS = -(2**63)
"""Earlier than every call."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def unix_ns(instant: datetime) -> int:
    """Nanoseconds since 1970, exactly; ``instant`` must carry its zone."""
    return (instant - _EPOCH) // _MICROSECOND * 1000


class Versions(NamedTuple):
    """``rates[i]`` holds for calls that start at ``starts_ns[i]`` or later; None: nothing is stated from there on."""

    starts_ns: tuple[int, ...] = ()
    rates: tuple[OperatorRate | None, ...] = ()

    def at(self, instant_ns: int) -> OperatorRate | None:
        """The version that holds for calls that start at ``instant_ns``."""
        index = bisect_right(self.starts_ns, instant_ns) - 1
        return self.rates[index] if index >= 0 else None


def with_version(versions: Versions, rate: OperatorRate) -> Versions:
    """``versions`` after ``rate``, which must be the newest."""
    start = unix_ns(rate.effective_from) if rate.dated or rate.ended else BEGINNING_NS
    spoken = max(start, unix_ns(rate.created_at))
    pairs = list(zip(versions.starts_ns, versions.rates, strict=True))
    before = [pair for pair in pairs if pair[0] < start]
    scheduled = [] if rate.ended else [pair for pair in pairs if pair[0] > spoken]
    kept = [*before, (start, None if rate.ended else rate), *scheduled]
    return Versions(tuple(pair[0] for pair in kept), tuple(pair[1] for pair in kept))
