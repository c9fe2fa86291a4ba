"""What is normal for an agent, as operators say it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Protocol

from finops.access import Grant
from finops.agent_names import agent_name
from finops.burn import MULTIPLIER_MAX, MULTIPLIER_MIN
from finops.reports import Baseline, Filters
from query_api.auth import other_organisation, within
from query_api.bodies import DECIMALS_MAX, DIGITS_MAX, BodyReader, too_long
from query_api.burn_answers import BASELINE, baseline_tag
from query_api.exchange import Answer, Ask, told_tagged
from query_api.parameters import filters_of
from query_api.problems import Fault, bad_request, not_found
from query_api.shapes import Schema
from query_api.wire import encode

FIELD, MULTIPLIER = "baselineUsdPerHour", "anomalyMultiplier"
BASELINE_USD_PER_HOUR_MAX = Decimal(1_000_000_000)
KEY_BYTES_MAX = 2000
"""What a key of the database holds."""
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": [FIELD],
    "properties": {
        FIELD: {"type": "number", "minimum": 0, "maximum": int(BASELINE_USD_PER_HOUR_MAX)},
        MULTIPLIER: {"type": "number", "minimum": int(MULTIPLIER_MIN), "maximum": int(MULTIPLIER_MAX)},
    },
}


class Baselines(Protocol):
    """What is asked of the ledger."""

    async def put(
        self,
        org_id: str,
        agent_id: str,
        baseline_usd_per_hour: Decimal,
        changed_by: str,
        anomaly_multiplier: Decimal | None,
        holds: Callable[[Baseline | None], None],
    ) -> Baseline: ...
    async def delete(
        self,
        org_id: str,
        agent_id: str,
        changed_by: str,
        now: datetime,
        holds: Callable[[Baseline | None], None],
    ) -> bool: ...
    async def baselines(self, filters: Filters) -> list[Baseline]: ...


class BaselineEndpoints:
    """Endpoints over the stated baselines."""

    def __init__(self, baselines: Baselines) -> None:
        self._baselines = baselines

    async def all(self, ask: Ask) -> Answer:
        """Every baseline, by agent."""
        found = await self._baselines.baselines(within(ask.grant, filters_of(ask.values)))
        return Answer(encode(BASELINE.render_all(found)))

    async def put(self, ask: Ask) -> Answer:
        """Stores one agent's baseline under the name the ledger knows and answers the stored row."""
        amount, multiplier = _stated(ask.body)
        org_id, agent_id = _org(ask.grant, ask.values["orgId"]), ask.path["agent_id"]
        if len((org_id + agent_id).encode()) > KEY_BYTES_MAX:
            fault = Fault("path", "agent_id", f"must not be longer than {KEY_BYTES_MAX} bytes, with its organisation")
            raise bad_request([fault])
        by = ask.grant.name
        stored = await self._baselines.put(org_id, agent_name(agent_id), amount, by, multiplier, _condition(ask))
        return told_tagged(BASELINE, stored, baseline_tag(stored))

    async def delete(self, ask: Ask) -> Answer:
        """Removes one agent's baseline; 404 where there is none."""
        org_id, agent_id = _org(ask.grant, ask.values["orgId"]), ask.path["agent_id"]
        by = ask.grant.name
        if not await self._baselines.delete(org_id, agent_name(agent_id), by, ask.now, _condition(ask)):
            raise not_found("no baseline is stated for this agent")
        return Answer(b"", status=HTTPStatus.NO_CONTENT)


def _condition(ask: Ask) -> Callable[[Baseline | None], None]:
    return lambda before: ask.conditions.check(None if before is None else baseline_tag(before))


def _stated(raw: object) -> tuple[Decimal, Decimal | None]:
    """The baseline, and the multiplier where one is stated."""
    body = BodyReader(raw)
    amount = body.dollars(FIELD, BASELINE_USD_PER_HOUR_MAX, required=True)
    multiplier = body.amount(MULTIPLIER)
    if multiplier is not None and not MULTIPLIER_MIN <= multiplier <= MULTIPLIER_MAX:
        body.fault(MULTIPLIER, f"must be a number from {MULTIPLIER_MIN} to {MULTIPLIER_MAX}")
    elif multiplier is not None and too_long(multiplier):
        body.fault(MULTIPLIER, f"must not have more than {DECIMALS_MAX} decimals or {DIGITS_MAX} digits")
    body.finish()
    assert amount is not None
    return amount, multiplier


def _org(grant: Grant, asked: str | None) -> str:
    if grant.org_id is None:
        return asked or ""
    if asked not in (None, grant.org_id):
        raise other_organisation(grant)
    return grant.org_id
