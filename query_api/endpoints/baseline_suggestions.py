"""What the baselines of agents might be, with the evidence. Putting one is left to people."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol

from finops.baseline_suggestions import Suggestion
from finops.reports import Filters
from query_api.auth import within
from query_api.burn_answers import SUGGESTION
from query_api.exchange import Answer, Ask
from query_api.parameters import filters_of
from query_api.wire import encode


class Suggestions(Protocol):
    """What is asked of the ledger."""

    async def suggestions(self, now: datetime, multiplier: Decimal, filters: Filters) -> list[Suggestion]: ...


class SuggestionEndpoints:
    """The endpoint over what agents usually burn."""

    def __init__(self, suggestions: Suggestions, multiplier: Decimal) -> None:
        self._suggestions = suggestions
        self._multiplier = multiplier

    async def all(self, ask: Ask) -> Answer:
        """A suggestion for every agent seen lately, or why there is none."""
        filters = within(ask.grant, filters_of(ask.values))
        found = await self._suggestions.suggestions(ask.now, self._multiplier, filters)
        return Answer(encode(SUGGESTION.render_all(found)))
