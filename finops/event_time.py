"""When a call happened, as the ledger dates it: at its end, unless the sender's clock cannot be believed."""

from collections.abc import Iterable

from finops.spans import Rejected, SpanRecord

FUTURE_NS_MAX = 5 * 60 * 10**9
"""A span that ends further in the future than this is dated at its arrival."""
NS_PER_MICROSECOND = 1000
NS_PER_DAY = 86_400 * 10**9


def event_time_ns(start_ns: int, end_ns: int, arrived_ns: int) -> int:
    """Unix nanoseconds in whole microseconds: the end, else the start; the arrival where neither can be believed."""
    said = max(start_ns, end_ns)
    if said <= 0 or said > arrived_ns + FUTURE_NS_MAX:
        said = arrived_ns
    return said - said % NS_PER_MICROSECOND


def split_late(
    records: Iterable[SpanRecord], arrived_ns: int, horizon_days: int
) -> tuple[list[SpanRecord], list[tuple[Rejected, SpanRecord]]]:
    """Spans that can still be counted once, and those older than the accept horizon with why (``too_late``)."""
    oldest = arrived_ns - horizon_days * NS_PER_DAY
    kept: list[SpanRecord] = []
    late: list[tuple[Rejected, SpanRecord]] = []
    for record in records:
        if event_time_ns(record.start_ns, record.end_ns, arrived_ns) >= oldest:
            kept.append(record)
        else:
            detail = f"ended more than {horizon_days} days before it arrived"
            late.append((Rejected("too_late", detail, record.trace_id, record.span_id, record.tenant), record))
    return kept, late
