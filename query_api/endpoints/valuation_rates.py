"""What tokens cost: the rates that hold now, and an operator's own."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import NamedTuple, Protocol

from finops.access import Grant
from finops.model_names import canonical_provider, stated_provider
from finops.rate_listing import ListedRate, RateFilters
from finops.rates import RATE_FIELDS, OperatorRate, RatePut, RefusedRate, StatedRates, stated_from_k_tokens
from query_api.answers import VALUATION_RATE
from query_api.auth import other_organisation
from query_api.bodies import PROSE_LENGTH_MAX, BodyReader
from query_api.exchange import Answer, Ask, told, told_tagged
from query_api.paging import Page
from query_api.problems import Fault, Problem, bad_request, not_found
from query_api.rate_answers import RATE_HISTORY, STORED_RATE
from query_api.shapes import Schema
from query_api.unpriced import Swept, UnpricedCalls, price_some
from query_api.wire import encode

_NUMBER: Schema = {"type": "number", "minimum": 0}
_TEXT: Schema = {"type": "string"}
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["modelId", "inputRatePerKTokens", "outputRatePerKTokens"],
    "properties": {
        "modelId": _TEXT,
        **dict.fromkeys(RATE_FIELDS.values(), _NUMBER),
        "provider": _TEXT,
        "orgId": _TEXT,
        "effectiveFrom": {"type": "string", "format": "date-time"},
        "reason": _TEXT,
        "confirm": {"type": "boolean", "default": False},
    },
}


Condition = Callable[[OperatorRate | None], None]
"""Of the newest version of a rate; None where it has ended."""


class Rates(Protocol):
    """What is asked of the ledger. A rate is in force everywhere once ``put`` has returned."""

    async def effective(self, filters: RateFilters, now: datetime) -> list[ListedRate]: ...
    async def slips(self, put: RatePut, now: datetime) -> dict[str, str]: ...
    async def put(self, put: RatePut, now: datetime, holds: Condition) -> OperatorRate: ...
    async def end(self, ending: "Ending", now: datetime, holds: Condition) -> OperatorRate | None: ...
    async def history(self, filters: RateFilters, *, limit: int, before: int | None) -> list[OperatorRate]: ...


class Ending(NamedTuple):
    """Which rate ends now; '' is every provider, every organisation."""

    model_id: str
    provider: str
    org_id: str
    author: str
    reason: str


class StoredRate(NamedTuple):
    """A stored rate and the calls it gave a price to."""

    rate: OperatorRate
    swept: Swept


class ValuationRates:
    """Endpoints over the price book."""

    def __init__(self, rates: Rates, unpriced: UnpricedCalls, want_sweep: Callable[[], None]) -> None:
        self._rates = rates
        self._unpriced = unpriced
        self._want_sweep = want_sweep

    async def effective(self, ask: Ask) -> Answer:
        """The rates that hold now, the operator's first."""
        values = ask.values
        filters = RateFilters(
            models=values["modelId"] or (),
            providers=values["provider"] or (),
            sources=values["source"] or (),
            orgs=(ask.grant.org_id,) if ask.grant.org_id is not None else (),
            in_use=values["inUse"],
        )
        return Answer(encode(VALUATION_RATE.render_all(await self._rates.effective(filters, ask.now))))

    async def put(self, ask: Ask) -> Answer:
        """Stores an operator's rates of one model; 422 where they cannot be right, or look like a slip."""
        put, confirmed = rate_put(ask)
        if not confirmed and (slips := await self._rates.slips(put, ask.now)):
            raise _slipped(slips)
        rate = await self._rates.put(put, ask.now, _condition(ask))
        swept = await price_some(self._unpriced, ask.grant.org_id, self._want_sweep)
        return told_tagged(STORED_RATE, StoredRate(rate, swept), str(rate.version))

    async def end(self, ask: Ask) -> Answer:
        """Ends a rate now, for calls that start from now on; 404 where none is stated under exactly these names."""
        values = ask.values
        if not values["modelId"]:
            raise bad_request([Fault("query", "modelId", "is required")])
        org_id = _org(ask.grant, values["orgId"] or "")
        provider, reason = values["provider"] or "", values["reason"] or ""
        ending = Ending(values["modelId"], provider, org_id, ask.grant.name, reason)
        if await self._rates.end(ending, ask.now, _condition(ask)) is None:
            raise not_found("no rate is stated for this model, provider and organisation")
        return Answer(b"", status=HTTPStatus.NO_CONTENT)

    async def history(self, ask: Ask) -> Answer:
        """Every version an operator stated, the newest first."""
        values, limit = ask.values, ask.values["limit"]
        orgs = values["orgId"] or ()
        if ask.grant.org_id is not None:
            orgs = tuple(_org(ask.grant, org) for org in orgs) or ("", ask.grant.org_id)
        providers = tuple(stated_provider(name) for name in values["provider"] or ())
        filters = RateFilters(models=values["modelId"] or (), providers=providers, orgs=orgs)
        rows = await self._rates.history(filters, limit=limit, before=values["cursor"])
        return told(RATE_HISTORY, Page(rows, rows[-1].version if len(rows) == limit else None))


def _condition(ask: Ask) -> Condition:
    return lambda before: ask.conditions.check(None if before is None else str(before.version))


def rate_put(ask: Ask) -> tuple[RatePut, bool]:
    """The rates of a body, and whether it confirms them; raises a problem with every fault."""
    body = BodyReader(ask.body)
    model_id = body.text("modelId", required=True)
    amounts = {name: body.amount(name) for name in RATE_FIELDS.values()}
    stated = _stated(body, amounts)
    provider, org_id = body.text("provider"), body.text("orgId")
    reason = body.text("reason", length_max=PROSE_LENGTH_MAX)
    effective_from, confirmed = body.instant("effectiveFrom"), body.flag("confirm")
    body.finish()
    return RatePut(
        model_id=model_id,
        stated=stated,
        provider=canonical_provider(provider) if provider else "",
        org_id=_org(ask.grant, org_id),
        effective_from=effective_from,
        author=ask.grant.name,
        reason=reason,
    ), confirmed


def _stated(body: BodyReader, amounts: dict[str, Decimal | None]) -> StatedRates:
    at_fault = {fault.name for fault in body.faults}
    try:
        return stated_from_k_tokens(amounts)
    except RefusedRate as refused:
        for name, reason in refused.faults.items():
            if name not in at_fault:
                body.fault(name, reason)
        return StatedRates()


def _org(grant: Grant, asked: str) -> str:
    if grant.org_id is None:
        return asked
    if asked not in ("", grant.org_id):
        raise other_organisation(grant)
    return grant.org_id


def _slipped(slips: dict[str, str]) -> Problem:
    hint = 'rates are per thousand tokens; send "confirm": true if this is meant'
    return BodyReader({}).refused({name: f"{reason}; {hint}" for name, reason in slips.items()})
