"""History priced again on purpose: what it would change, and the runs that change it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import NamedTuple, Protocol
from uuid import UUID

from finops.access import Grant
from finops.model_names import stated_provider
from finops.reprice import Changes, ModelDay
from finops.reprice_requests import (
    AS_BILLED,
    AS_KNOWN_THEN,
    CURRENT,
    PREVIEW_CALLS_MAX,
    RATE_VERSION,
    RATES,
    Change,
    PreviewTooLarge,
    PriceSource,
    RepriceRequest,
    RepriceRun,
    Scope,
)
from query_api.auth import other_organisation
from query_api.bodies import PROSE_LENGTH_MAX, BodyReader
from query_api.endpoints import valuation_rates
from query_api.exchange import Answer, Ask, told
from query_api.problems import Fault, Problem, not_found, unprocessable
from query_api.rate_answers import REPRICE, REPRICE_RUN
from query_api.shapes import Schema
from query_api.wire import encode

WORDS = (CURRENT, AS_KNOWN_THEN, AS_BILLED)
GIVEN_RATES_MAX = 100
VERSION_MAX = 2**53
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_FILTERS = {
    "orgs": "orgId",
    "agents": "agentId",
    "models": "modelId",
    "providers": "provider",
    "environments": "environment",
}
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "apply": {"type": "boolean", "default": False},
        "runId": {"type": "string", "format": "uuid"},
        "from": _INSTANT,
        "to": _INSTANT,
        **dict.fromkeys(_FILTERS.values(), _TEXTS),
        "priceSource": {
            "default": CURRENT,
            "anyOf": [
                {"enum": list(WORDS)},
                {"type": "object", "properties": {RATE_VERSION: {"type": "integer", "minimum": 0}}},
                {"type": "object", "properties": {RATES: {"type": "array", "items": valuation_rates.BODY}}},
            ],
        },
        "reason": _TEXT,
    },
}


class Repricing(Protocol):
    """What is asked of the ledger."""

    async def preview(self, request: RepriceRequest, now: datetime, calls_max: int | None = ...) -> Changes: ...
    async def start(
        self, run_id: UUID, request: RepriceRequest, now: datetime, *, actor: str, reason: str = "", org_id: str = ""
    ) -> None: ...
    async def advance(self, run_id: UUID, now: datetime) -> RepriceRun | None: ...
    async def run(self, run_id: UUID) -> RepriceRun | None: ...
    async def runs(self, orgs: Sequence[str] | None = None) -> list[RepriceRun]: ...


class RepricedGroup(NamedTuple):
    """One row of a preview."""

    group: ModelDay
    change: Change


class Repriced(NamedTuple):
    """A preview, or how far a run has come."""

    request: RepriceRequest
    change: Change
    groups: Sequence[RepricedGroup] = ()
    truncated: bool = False
    run: RepriceRun | None = None

    @property
    def applied(self) -> bool:
        """Whether corrections were written."""
        return self.run is not None


class RepriceEndpoints:
    """Endpoints over repricing. One preview or run is worked on at a time, so that reports stay quick."""

    def __init__(self, repricing: Repricing, new_id: Callable[[], UUID]) -> None:
        self._repricing = repricing
        self._new_id = new_id
        self._working = asyncio.Lock()

    async def runs(self, ask: Ask) -> Answer:
        """The newest runs and how far they have come."""
        orgs = None if ask.grant.org_id is None else (ask.grant.org_id,)
        return Answer(encode(REPRICE_RUN.render_all(await self._repricing.runs(orgs))))

    async def reprice(self, ask: Ask) -> Answer:
        """Previews, or applies as far as one request goes; the same run goes on when it is named."""
        asked = _asked(ask)
        if self._working.locked():
            detail = "another preview or run is being worked on"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "2"})
        async with self._working:
            if not asked.apply:
                return told(REPRICE, await self._preview(asked.request, ask.now))
            return told(REPRICE, await self._advance(asked, ask))

    async def _preview(self, request: RepriceRequest, now: datetime) -> Repriced:
        try:
            changes = await self._repricing.preview(request, now)
        except PreviewTooLarge:
            detail = f"the period holds more than {PREVIEW_CALLS_MAX} calls: ask for less of it, or use the command"
            raise unprocessable([Fault("body", "from", detail)]) from None
        groups = [RepricedGroup(group, change) for group, change in sorted(changes.groups.items())]
        return Repriced(request, changes.total, groups, changes.truncated)

    async def _advance(self, asked: "Asked", ask: Ask) -> Repriced:
        run_id = asked.run_id
        if run_id is None:
            run_id, orgs = self._new_id(), asked.request.scope.orgs or ()
            org_id = orgs[0] if len(orgs) == 1 else ""
            about = {"actor": ask.grant.name, "reason": asked.reason, "org_id": org_id}
            await self._repricing.start(run_id, asked.request, ask.now, **about)
        elif not _may_see(await self._repricing.run(run_id), ask.grant):
            raise not_found("no such run")
        run = await self._repricing.advance(run_id, ask.now)
        assert run is not None
        return Repriced(run.request, run.change, run=run)


def _may_see(run: RepriceRun | None, grant: Grant) -> bool:
    return run is not None and grant.org_id in (None, run.org_id)


class Asked(NamedTuple):
    """The body, understood."""

    apply: bool
    run_id: UUID | None
    request: RepriceRequest
    reason: str


def _asked(ask: Ask) -> Asked:
    body = BodyReader(ask.body)
    apply, run_id = body.flag("apply"), _run_id(body)
    start, end = body.instant("from"), body.instant("to") or ask.now
    scope = {name: body.texts(field) for name, field in _FILTERS.items()}
    source = _source(body, ask)
    reason = body.text("reason", length_max=PROSE_LENGTH_MAX)
    if start is None and run_id is None and not any(fault.name == "from" for fault in body.faults):
        body.fault("from", "is required, unless a run is named")
    if run_id is not None and not apply:
        body.fault("runId", "names a run that is applied: it wants apply true")
    if apply and source.kind == RATES:
        body.fault("priceSource", "rates that nobody has put can be previewed only: put them, with effectiveFrom")
    if start is not None and start >= end:
        body.fault("to", "must be later than from")
    body.finish()
    chosen = _within(ask.grant, Scope(**scope))
    return Asked(apply, run_id, RepriceRequest(start=start or end, end=end, scope=chosen, source=source), reason)


def _within(grant: Grant, scope: Scope) -> Scope:
    providers = None if scope.providers is None else tuple(stated_provider(name) for name in scope.providers)
    if grant.org_id is None:
        return scope._replace(providers=providers)
    if scope.orgs not in (None, (grant.org_id,)):
        raise other_organisation(grant)
    return scope._replace(providers=providers, orgs=(grant.org_id,))


def _run_id(body: BodyReader) -> UUID | None:
    text = body.text("runId")
    try:
        return UUID(text) if text else None
    except ValueError:
        body.fault("runId", "must be the runId of a run")
        return None


def _source(body: BodyReader, ask: Ask) -> PriceSource:
    tree = body.tree("priceSource")
    if tree is None:
        return PriceSource()
    if isinstance(tree, str) and tree in WORDS:
        return PriceSource(tree)
    if isinstance(tree, dict) and len(tree) == 1:
        version, rates = tree.get(RATE_VERSION), tree.get(RATES)
        if isinstance(version, Decimal) and version == version.to_integral_value() and 0 <= version < VERSION_MAX:
            return PriceSource(RATE_VERSION, int(version))
        if isinstance(rates, list) and 0 < len(rates) <= GIVEN_RATES_MAX:
            given = (valuation_rates.rate_put(ask._replace(body=rate))[0] for rate in rates)
            return PriceSource(RATES, rates=tuple(given))
    known = f"{', '.join(WORDS)}, an object with {RATE_VERSION}, or one with 1 to {GIVEN_RATES_MAX} {RATES}"
    body.fault("priceSource", f"must be one of {known}")
    return PriceSource()
