"""`agent-finops rates reprice`: what other rates would make of the past, and with --apply the corrections."""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

from finops.instants import read_instant
from finops.model_names import stated_provider
from finops.money import usd
from finops.reprice import Changes
from finops.reprice_requests import (
    AS_BILLED,
    AS_KNOWN_THEN,
    CURRENT,
    RATE_VERSION,
    Change,
    PriceSource,
    RepriceRequest,
    RepriceRun,
    Scope,
)
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reprice import Repricing
from ledger.unpriced import Swept, UnpricedCalls
from standalone.database import in_ledger_pool
from standalone.failures import CannotStart

ACTOR = "agent-finops rates reprice"
_FILTERS = {"org": "orgs", "agent": "agents", "model": "models", "provider": "providers", "environment": "environments"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `rates reprice`."""
    parser.add_argument("--from", dest="start", metavar="TIME", type=_instant, help="calls since (RFC 3339)")
    parser.add_argument("--to", dest="end", metavar="TIME", type=_instant, help="calls before (default: now)")
    for option in _FILTERS:
        parser.add_argument(f"--{option}", metavar="NAME", action="append", help=f"only this {option}; may be repeated")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--source",
        choices=(CURRENT, AS_KNOWN_THEN, AS_BILLED),
        default=CURRENT,
        help="the rates that hold now, those known at the time of each call, or what each was billed at first",
    )
    source.add_argument("--rate-version", metavar="N", type=int, help="the rates as they were after version N")
    parser.add_argument("--apply", action="store_true", help="write the corrections")
    parser.add_argument("--run", metavar="ID", type=UUID, help="go on with a run that was cut off")
    parser.add_argument("--unpriced", action="store_true", help="only give calls without a price the one they have now")
    parser.add_argument("--reason", default="", help="kept in the audit trail")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace, url: str) -> int:
    """The exit status. Raises CannotStart."""
    if arguments.unpriced:
        price_unpriced(url)
        return 0
    if arguments.run is None and arguments.start is None:
        raise CannotStart("rates reprice: give --from, --run or --unpriced")
    if arguments.run is None and not arguments.apply:
        request = _request(arguments)
        changes = in_ledger_pool(url, lambda pool: _repricing(pool).preview(request, datetime.now(UTC), None))
        _print(arguments.json, request, changes.total, changes)
        return 0
    done = in_ledger_pool(url, lambda pool: _apply(pool, arguments))
    _print(arguments.json, done.request, done.change, None)
    return 0


def price_unpriced(url: str) -> None:
    """Prices every call that waits for a price and has one now."""

    async def swept(pool: Pool) -> Swept:
        return await UnpricedCalls(pool, RateStore()).price()

    found = in_ledger_pool(url, swept)
    _remark(f"{found.repriced} calls that had no price have one now")


async def _apply(pool: Pool, arguments: argparse.Namespace) -> RepriceRun:
    repricing = _repricing(pool)
    run_id = arguments.run
    if run_id is None:
        run_id = uuid4()
        request, now = _request(arguments), datetime.now(UTC)
        orgs = request.scope.orgs or ()
        about = {"actor": ACTOR, "reason": arguments.reason, "org_id": orgs[0] if len(orgs) == 1 else ""}
        await repricing.start(run_id, request, now, **about)
    _remark(f"run {run_id}; cut off, it goes on with: agent-finops rates reprice --run {run_id}")
    while True:
        done = await repricing.advance(run_id, datetime.now(UTC))
        if done is None:
            raise CannotStart(f"there is no run {run_id}")
        _remark(f"{done.change.calls} calls looked at, {done.change.touched} corrected, up to {done.priced_through}")
        if done.finished_at is not None:
            return done


def _repricing(pool: Pool) -> Repricing:
    return Repricing(pool, RateStore())


def _request(arguments: argparse.Namespace) -> RepriceRequest:
    end = arguments.end or datetime.now(UTC)
    if arguments.start >= end:
        raise CannotStart("rates reprice: --to must be later than --from")
    given = {name: getattr(arguments, option) for option, name in _FILTERS.items()}
    read: dict[str, Callable[[str], str]] = {"providers": stated_provider}
    chosen = {name: tuple(map(read.get(name, str), values)) for name, values in given.items() if values is not None}
    versioned = arguments.rate_version is not None
    source = PriceSource(RATE_VERSION, arguments.rate_version) if versioned else PriceSource(arguments.source)
    return RepriceRequest(start=arguments.start, end=end, scope=Scope(**chosen), source=source)


def _instant(text: str) -> datetime:
    instant = read_instant(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("needs its offset, such as 2026-11-01T00:00:00Z")
    return instant.astimezone(UTC)


def _print(as_json: bool, request: RepriceRequest, total: Change, changes: Changes | None) -> None:
    groups = sorted(changes.groups.items()) if changes is not None else []
    if as_json:
        rows = [{"date": f"{group.day}", "modelId": group.model_id, **_told(change)} for group, change in groups]
        print(json.dumps({"applied": changes is None, "to": request.end.isoformat(), **_told(total), "items": rows}))
        return
    print("DATE        MODEL  CALLS  TOUCHED  BEFORE USD  AFTER USD  DIFFERENCE USD")
    for group, change in groups:
        print(f"{group.day}  {group.provider}/{group.model_id}  {_cells(change)}")
    print(f"all  {_cells(total)}")
    if changes is not None:
        print(f"a preview up to {request.end.isoformat()}: nothing was changed")


def _told(change: Change) -> dict[str, object]:
    return {
        "calls": change.calls,
        "callsTouched": change.touched,
        "beforeUsd": f"{usd(change.before_pico):f}",
        "afterUsd": f"{usd(change.after_pico):f}",
        "differenceUsd": f"{usd(change.after_pico - change.before_pico):f}",
        "unpricedCallsBefore": change.unpriced_before,
        "unpricedCallsAfter": change.unpriced_after,
    }


def _cells(change: Change) -> str:
    told = _told(change)
    return "  ".join(str(told[name]) for name in ("calls", "callsTouched", "beforeUsd", "afterUsd", "differenceUsd"))


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
