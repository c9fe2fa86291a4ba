"""May this call be made? Asked by guards before every call, so answered from memory where that is fresh enough."""

from datetime import timedelta
from decimal import Decimal

from finops.budget_decisions import Decision, Estimate, decide
from finops.budgets import Caller, Dimension
from finops.price_book import PriceBook
from finops.pricing import CallFacts, Unpriced, price
from finops.rate_versions import unix_ns
from finops.usage import TokenUsage
from query_api.auth import keep_within
from query_api.bodies import PROSE_LENGTH_MAX, BodyReader
from query_api.budget_answers import DECISION, ToldDecision
from query_api.budget_bodies import FIELDS, kept_name, may_see
from query_api.budget_desk import BudgetDesk
from query_api.exchange import Answer, Ask, told
from query_api.shapes import Schema

TOKENS_MAX = 2**31 - 1
INPUT, OUTPUT = "estimatedInputTokens", "estimatedOutputTokens"

_TEXT: Schema = {"type": "string"}
_TOKENS: Schema = {"type": "integer", "minimum": 0, "maximum": TOKENS_MAX}
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {**dict.fromkeys(FIELDS.values(), _TEXT), "provider": _TEXT, INPUT: _TOKENS, OUTPUT: _TOKENS},
}


class DecisionEndpoint:
    """POST /budgets/decision."""

    def __init__(self, desk: BudgetDesk) -> None:
        self._desk = desk

    async def decide(self, ask: Ask) -> Answer:
        """What every budget that counts the caller says, and the strictest of it."""
        body = BodyReader(ask.body)
        said = {dimension: body.text(name, length_max=PROSE_LENGTH_MAX) for dimension, name in FIELDS.items()}
        provider, tokens = body.text("provider"), [_tokens(body, INPUT), _tokens(body, OUTPUT)]
        body.finish()
        if said[Dimension.ORG]:
            keep_within(ask.grant, said[Dimension.ORG])
        elif ask.grant.org_id is not None:
            said[Dimension.ORG] = ask.grant.org_id
        caller = Caller(**{one.value: kept_name(one, name) for one, name in said.items() if name})
        caller, estimate = _priced(caller, provider, tokens, await self._desk.book(), unix_ns(ask.now))
        stood = await self._desk.of(caller, ask.now)
        as_of = ask.now - timedelta(seconds=stood.age_seconds)
        shown = estimate.cost_pico if any(count is not None for count in tokens) else None
        found = decide(stood.standings, estimate)
        reason = next((one.reason.value for one in found.counting), "noBudget")
        return told(DECISION, ToldDecision(self._seen(found, ask), reason, shown, as_of))

    def _seen(self, found: Decision, ask: Ask) -> Decision:
        """Budgets beyond the caller's organisation count, and are not told: their spend is other people's, too."""
        shows = self._desk.reports.shows
        seen = [one for one in found.opinions if may_see(ask.grant, one.standing.budget) and shows(one.standing.budget)]
        return found._replace(opinions=tuple(seen))


def _tokens(body: BodyReader, name: str) -> int | None:
    count = body.amount(name)
    if count is None:
        return None
    if not (0 <= count <= TOKENS_MAX and count == count // Decimal(1)):
        body.fault(name, f"must be a whole number from 0 to {TOKENS_MAX}")
        return None
    return int(count)


def _priced(
    caller: Caller, provider: str, tokens: list[int | None], book: PriceBook, now_ns: int
) -> tuple[Caller, Estimate]:
    """The caller with its model by the name the ledger would book it under, and what the tokens would cost."""
    usage = TokenUsage(input_tokens=tokens[0] or 0, output_tokens=tokens[1] or 0)
    if caller.model:
        facts = CallFacts(caller.org, provider or None, caller.model, None, "chat", usage, now_ns)
        found = price(facts, book)
        caller = caller._replace(model=found.model_id or caller.model)
        cost = None if isinstance(found, Unpriced) else found.cost_pico
    else:
        cost = None
    asked = any(count is not None for count in tokens)
    return caller, Estimate(cost if asked else 0)
