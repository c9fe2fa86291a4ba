"""How fast one token may ask: a bucket of requests that fills by the second; 429 and Retry-After when it is empty.

Decisions about budgets have a bucket of their own: guards ask before every call, and are answered from memory. Each
process keeps its own buckets, so N replicas allow N times as much. Nothing of a bucket outlives the process.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from query_api.exposition import Family, Sample
from query_api.problems import Problem

BUCKETS_MAX = 10_000
"""Tokens whose pace is remembered; the longest unused is forgotten, and starts anew with a full bucket."""


class PaceLimits(NamedTuple):
    """Requests a second in the long run, and how many at once after a pause; 0 a second: no limit."""

    per_second: int
    burst: int
    decisions_per_second: int = 0
    """Of decisions about budgets; as many at once after a pause."""


class Paces:
    """The buckets of one process, by name of the token."""

    def __init__(self, limits: PaceLimits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._full_at: OrderedDict[tuple[str, bool], float] = OrderedDict()
        """When each bucket will be full again, by token and whether it is for decisions."""
        self._refused = 0

    def take(self, name: str, *, decides: bool = False) -> None:
        """One request of a token; raises a 429 problem where it has none left."""
        per_second, burst, decisions = self._limits
        if decides:
            per_second = burst = decisions
        if not per_second:
            return
        now = self._monotonic()
        bucket = name, decides
        full_at = max(self._full_at.get(bucket, now), now) + 1 / per_second
        late = full_at - now - burst / per_second
        if late > 1e-9:
            self._refused += 1
            detail = f"this token asks {'for decisions ' if decides else ''}more than {per_second} times a second"
            headers = {"Retry-After": str(max(1, math.ceil(late)))}
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)
        self._full_at[bucket] = full_at
        self._full_at.move_to_end(bucket)
        if len(self._full_at) > BUCKETS_MAX:
            self._full_at.popitem(last=False)

    async def families(self, _ask: object) -> list[Family]:
        """Metric families; they tell nothing about anyone."""
        refused = [Sample("_total", (), self._refused)]
        tokens = [Sample("", (), len({name for name, _ in self._full_at}))]
        return [
            Family("finops_api_requests_refused", "counter", "Requests beyond their token's pace.", refused),
            Family("finops_api_paced_tokens", "gauge", "Tokens whose pace is remembered.", tokens),
        ]
