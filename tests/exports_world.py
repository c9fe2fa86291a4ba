"""A small ledger with all that an export must tell rightly: corrections, another month, no price, no usage, formula."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from repricing_world import NOW, NOW_NS, a_ledger, call, put, statement, strange_call

from finops.reprice_requests import RepriceRequest
from finops.spans import Dimensions, SpanClass
from finops.usage import TokenUsage
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reprice import Repricing

LAST_MONTH = 40 * 24 * 60
"""Minutes."""
ABOVE = (10**6).to_bytes(8)
WINDOW = f"{NOW - timedelta(days=60):%Y-%m-%dT%H:%M:%SZ},{NOW + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
EVIL = '=HYPERLINK("http://evil","x")'
THIRDS = TokenUsage(input_tokens=333, output_tokens=7, cached_input_tokens=100, reasoning_tokens=3)


async def export_ledger(pool: Pool) -> None:
    """Calls of two organisations and two months; half of last month's are priced again, one call gets another agent."""
    store, ledger = RateStore(), a_ledger(pool)
    records = [call(number, org="acme", minutes_ago=number) for number in range(2, 21)]
    records.append(call(1, minutes_ago=1, parent_id=ABOVE, own=Dimensions(org="acme")))
    records += [call(number, org="beta", minutes_ago=LAST_MONTH + number) for number in range(21, 41)]
    records += [strange_call(number, org="acme", minutes_ago=number) for number in range(41, 46)]
    records.append(call(50, org="acme", usage=None, usage_detail=0))
    said = Dimensions(org="acme", agent=EVIL, session="+1", user="@user", team="-team", environment="\tprod")
    records.append(call(51, own=said, usage=THIRDS, service='a "quoted", name'))
    await ledger.append(records, [], NOW_NS)
    await put(pool, store, statement("0.00012345678", "gpt-4o-mini"))
    request = RepriceRequest(start=NOW - timedelta(days=60), end=NOW - timedelta(minutes=10))
    repricing = Repricing(pool, RateStore())
    await repricing.start(UUID(int=7), request, NOW, actor="test")
    await repricing.advance(UUID(int=7), NOW)
    await ledger.append([late_agent(call(1, minutes_ago=1))], [], NOW_NS)


def late_agent(below: Any) -> Any:
    """The run that turns out to be above a call: the call is moved to its agent."""
    run = below._replace(span_id=ABOVE, parent_id=b"", span_class=SpanClass.AGENT, usage=None, usage_detail=0)
    return run._replace(own=Dimensions(org="acme", agent="late"), agent_run="late", operation="invoke_agent")
