"""What people send about budgets, understood: every fault told at once."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from finops.access import Grant
from finops.agent_names import AGENT_CHARACTERS_MAX, shortened
from finops.budget_periods import ROLLING_HOURS_MAX, ROLLING_HOURS_MIN, WEEKDAYS, PeriodRule, Unit
from finops.budgets import (
    HUNDREDTHS,
    THRESHOLD_MAX,
    THRESHOLDS_DEFAULT,
    THRESHOLDS_MAX,
    Budget,
    BudgetScope,
    Dimension,
    Mode,
    Raise,
    Verdict,
)
from finops.money import pico
from finops.periods import UnknownZone, zone_named
from query_api.auth import keep_within
from query_api.bodies import PROSE_LENGTH_MAX, TEXTS_MAX, BodyReader
from query_api.exchange import Ask
from query_api.problems import Problem
from query_api.shapes import Schema

FIELDS = {
    Dimension.ORG: "orgId",
    Dimension.TEAM: "teamId",
    Dimension.AGENT: "agentId",
    Dimension.MODEL: "modelId",
    Dimension.ENVIRONMENT: "environment",
    Dimension.SESSION: "sessionId",
    Dimension.USER: "userId",
}
"""What dimensions are called on the wire."""
CHARACTERS_MAX = {dimension: 256 if dimension is Dimension.SESSION else AGENT_CHARACTERS_MAX for dimension in Dimension}
"""The ledger keeps names no longer than this; longer ones are cut, with a hash behind."""
LIMIT_USD_MAX = Decimal(1_000_000_000)

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "maxItems": TEXTS_MAX}]}
_LIMIT: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": int(LIMIT_USD_MAX)}
_SCOPE: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": dict.fromkeys(FIELDS.values(), _TEXTS),
}
_RAISE: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["limitUsd", "until"],
    "properties": {"limitUsd": _LIMIT, "until": {"type": "string", "format": "date-time"}},
}
_PERCENT: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": THRESHOLD_MAX // 100}
_PERCENTS: Schema = {"type": "array", "items": _PERCENT, "minItems": 1, "maxItems": THRESHOLDS_MAX}
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "limitUsd", "period"],
    "properties": {
        "name": _TEXT,
        "scope": _SCOPE,
        "each": {"enum": list(FIELDS.values())},
        "period": {"enum": [unit.value for unit in Unit]},
        "tz": {"type": "string", "default": "UTC"},
        "weekStartsOn": {"enum": list(WEEKDAYS), "default": WEEKDAYS[0]},
        "rollingHours": {"type": "integer", "minimum": ROLLING_HOURS_MIN, "maximum": ROLLING_HOURS_MAX},
        "limitUsd": _LIMIT,
        "thresholds": _PERCENTS | {"default": [one // 100 for one in THRESHOLDS_DEFAULT]},
        "mode": {"enum": [mode.value for mode in Mode], "default": Mode.WARN.value},
        "onUnknown": {"enum": [verdict.value for verdict in Verdict], "default": Verdict.WARN.value},
        "raise": _RAISE,
        "reason": _TEXT,
    },
}


def budget_of(ask: Ask, budget_id: UUID) -> tuple[Budget, str]:
    """The budget of a body and the reason for it; raises a problem with every fault."""
    body = BodyReader(ask.body)
    limit = _limit(body, "limitUsd")
    mode, on_unknown = _word(body, "mode", list(Mode), Mode.WARN), _word(body, "onUnknown", list(Verdict), Verdict.WARN)
    each = _word(body, "each", list(FIELDS.values()), "")
    budget = Budget(
        budget_id=str(budget_id),
        name=body.text("name", required=True),
        scope=_scope(body, ask.grant),
        each=next((dimension for dimension, name in FIELDS.items() if name == each), None),
        rule=_rule(body),
        limit_pico=limit,
        thresholds=_thresholds(body),
        mode=Mode(mode),
        on_unknown=Verdict(on_unknown),
        raised=_raise(body, limit, ask.now),
        counted_since=ask.now,
        created_at=ask.now,
        updated_at=ask.now,
        updated_by=ask.grant.name,
    )
    reason = body.text("reason", length_max=PROSE_LENGTH_MAX)
    body.finish()
    return budget, reason


def may_see(grant: Grant, budget: Budget) -> bool:
    """Whether the token may know of the budget: one of an organisation sees what counts that one only."""
    return grant.org_id is None or budget.scope.org == (grant.org_id,)


def kept_name(dimension: Dimension, text: str) -> str:
    """The name as the ledger keeps it."""
    return shortened(text.strip(), CHARACTERS_MAX[dimension])


def _limit(body: BodyReader, name: str) -> int:
    """In pico-USD; 1 where at fault."""
    amount = body.dollars(name, LIMIT_USD_MAX, required=True)
    if amount is None:
        return 1
    if amount == 0:
        body.fault(name, "must be more than 0")
        return 1
    return pico(amount)


def _word(body: BodyReader, name: str, words: list[str], default: str) -> str:
    value = body.tree(name)
    if value is None:
        return default
    if not isinstance(value, str) or value not in words:
        body.fault(name, f"must be one of {', '.join(words)}")
        return default
    return value


def _inner(body: BodyReader, name: str, read: Callable[[BodyReader], None]) -> bool:
    """Reads an object inside the body; its faults are told with the path of the field. False where it is absent."""
    tree = body.tree(name)
    if tree is None:
        return False
    try:
        inside = BodyReader(tree)
        read(inside)
        inside.finish()
    except Problem as problem:
        for fault in problem.faults:
            body.fault(f"{name}.{fault.name}" if fault.name else name, fault.detail.replace("the body ", ""))
    return True


def _scope(body: BodyReader, grant: Grant) -> BudgetScope:
    found: dict[str, tuple[str, ...] | None] = {}

    def read(inside: BodyReader) -> None:
        for dimension, name in FIELDS.items():
            values = inside.texts(name)
            kept = None if values is None else tuple(dict.fromkeys(kept_name(dimension, value) for value in values))
            found[dimension.value] = kept

    _inner(body, "scope", read)
    if grant.org_id is not None:
        keep_within(grant, found.get("org"))
        found["org"] = (grant.org_id,)
    return BudgetScope(**found)


def _rule(body: BodyReader) -> PeriodRule:
    units = [unit.value for unit in Unit]
    word = _word(body, "period", units, "")
    if not word and not any(fault.name == "period" for fault in body.faults):
        body.fault("period", "is required")
    unit = Unit(word) if word else None
    zone, week = body.text("tz") or "UTC", _word(body, "weekStartsOn", list(WEEKDAYS), WEEKDAYS[0])
    try:
        zone_named(zone)
    except UnknownZone:
        body.fault("tz", "must be the IANA name of a time zone, such as Europe/Berlin")
    hours = body.amount("rollingHours")
    if unit is Unit.ROLLING and hours is None and not any(fault.name == "rollingHours" for fault in body.faults):
        body.fault("rollingHours", "is required where the period is rolling")
    elif hours is not None and unit is not Unit.ROLLING:
        body.fault("rollingHours", "has a meaning only where the period is rolling")
    elif hours is not None and not (hours == hours // 1 and ROLLING_HOURS_MIN <= hours <= ROLLING_HOURS_MAX):
        body.fault("rollingHours", f"must be a whole number from {ROLLING_HOURS_MIN} to {ROLLING_HOURS_MAX}")
        hours = None
    return PeriodRule(unit or Unit.MONTH, zone, WEEKDAYS.index(week), int(hours or 0))


def _thresholds(body: BodyReader) -> tuple[int, ...]:
    tree = body.tree("thresholds")
    if tree is None:
        return THRESHOLDS_DEFAULT
    allowed = f"must be 1 to {THRESHOLDS_MAX} different percentages, more than 0 and at most {THRESHOLD_MAX // 100}"
    if not isinstance(tree, list) or not 1 <= len(tree) <= THRESHOLDS_MAX:
        body.fault("thresholds", allowed)
        return THRESHOLDS_DEFAULT
    right = [isinstance(one, Decimal) and 0 < one <= THRESHOLD_MAX // 100 and one * 100 % 1 == 0 for one in tree]
    if not all(right) or len(set(tree)) != len(tree):
        body.fault("thresholds", f"{allowed}, with at most two decimals")
        return THRESHOLDS_DEFAULT
    return tuple(sorted(int(one * HUNDREDTHS // 100) for one in tree))


def _raise(body: BodyReader, limit: int, now: datetime) -> Raise | None:
    found: list[Raise] = []

    def read(inside: BodyReader) -> None:
        raised, until = _limit(inside, "limitUsd"), inside.instant("until")
        if until is None:
            if not any(fault.name == "until" for fault in inside.faults):
                inside.fault("until", "is required")
        elif until <= now:
            inside.fault("until", "must be later than now")
        elif raised <= limit and not any(fault.name == "limitUsd" for fault in inside.faults):
            inside.fault("limitUsd", "must be more than the limit that it raises")
        else:
            found.append(Raise(raised, now, until))

    _inner(body, "raise", read)
    return found[0] if found else None
