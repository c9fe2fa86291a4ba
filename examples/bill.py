"""What the example model server charges: its price list, its scripted token counts, and the bill of every call.

Knows nothing of telemetry and nothing of agent-finops: it is the other side, to compare with. Money is an integer
count of pico-USD (1e-12 USD), so every price and every sum below is exact.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

CACHE_STEP = 128
CACHE_FROM = 1024
"""Prompt tokens are cached in steps of 128, from 1,024 on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPrice:
    """Pico-USD for one token; 1 USD per million tokens is 1,000,000 pico-USD per token."""

    snapshot: str
    """What the server calls the model in its answers, as providers do."""
    input_pico: int
    cached_pico: int
    output_pico: int = 0
    reasons: bool = False


PRICE_LIST = {
    "gpt-4o": ListPrice(
        snapshot="gpt-4o-2024-08-06", input_pico=2_500_000, cached_pico=1_250_000, output_pico=10_000_000
    ),
    "gpt-4o-mini": ListPrice(
        snapshot="gpt-4o-mini-2024-07-18", input_pico=150_000, cached_pico=75_000, output_pico=600_000
    ),
    "o4-mini": ListPrice(
        snapshot="o4-mini-2025-04-16", input_pico=1_100_000, cached_pico=275_000, output_pico=4_400_000, reasons=True
    ),
    "claude-haiku-4-5": ListPrice(
        snapshot="claude-haiku-4-5-20251001", input_pico=1_000_000, cached_pico=100_000, output_pico=5_000_000
    ),
    "text-embedding-3-small": ListPrice(snapshot="text-embedding-3-small", input_pico=20_000, cached_pico=20_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One answered call, as billed. Cached tokens are a part of input, reasoning tokens a part of output."""

    id: str
    agent: str
    session: str
    operation: str
    model: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int

    @property
    def cost_pico(self) -> int:
        """Pico-USD by the price list."""
        price = PRICE_LIST[self.model]
        fresh = self.input_tokens - self.cached_input_tokens
        return (
            fresh * price.input_pico
            + self.cached_input_tokens * price.cached_pico
            + self.output_tokens * price.output_pico
        )

    @property
    def discount_pico(self) -> int:
        """Pico-USD that the cached part of the prompt would have cost more, had it not been cached."""
        price = PRICE_LIST[self.model]
        return self.cached_input_tokens * (price.input_pico - price.cached_pico)

    def as_json(self) -> dict[str, str | int]:
        """One line of the bill."""
        return {
            "id": self.id,
            "agent": self.agent,
            "session": self.session,
            "operation": self.operation,
            "model": self.model,
            "inputTokens": self.input_tokens,
            "cachedInputTokens": self.cached_input_tokens,
            "outputTokens": self.output_tokens,
            "reasoningTokens": self.reasoning_tokens,
            "costUsd": dollars(self.cost_pico),
        }


class Bill:
    """Every call answered so far. Safe to use from several threads."""

    def __init__(self, run: str) -> None:
        """``run`` makes the ids of the answers differ from those of every other run of the server."""
        self._run = run
        self._lock = threading.Lock()
        self._charges: list[Charge] = []
        self._prompt_so_far: dict[tuple[str, str, str], int] = {}
        self._counts_given: set[tuple[int, int]] = set()
        self._refused: set[str] = set()
        self._refusals = 0

    def refuse_once(self, key: str) -> bool:
        """True the first time a key is shown: that attempt is to be refused, and is billed nothing."""
        with self._lock:
            if not key or key in self._refused:
                return False
            self._refused.add(key)
            self._refusals += 1
            return True

    def charge(self, *, agent: str, session: str, operation: str, model: str, characters: int) -> Charge:
        """Counts the tokens of one call and writes it down.

        Counts follow the length of the prompt and the number of the agent's call; no two calls get the same ones. The
        part of the prompt sent before in the same session to the same model is cached.
        """
        with self._lock:
            number = 1 + sum(charge.agent == agent for charge in self._charges)
            prompt = 23 + characters // 4 + 7 * number
            answer, reasoning = 0, 0
            if PRICE_LIST[model].output_pico:
                reasoning = 192 + 64 * number if PRICE_LIST[model].reasons else 0
                answer = 41 + 13 * number + reasoning
            while (prompt, answer) in self._counts_given:
                prompt += 1
            self._counts_given.add((prompt, answer))
            charge = Charge(
                id=f"{operation}_{self._run}_{len(self._charges) + 1:04d}",
                agent=agent,
                session=session,
                operation=operation,
                model=model,
                input_tokens=prompt,
                cached_input_tokens=self._cached(agent, session, model, prompt) if answer else 0,
                output_tokens=answer,
                reasoning_tokens=reasoning,
            )
            self._charges.append(charge)
            return charge

    def _cached(self, agent: str, session: str, model: str, prompt: int) -> int:
        before = min(self._prompt_so_far.get((agent, session, model), 0), prompt)
        self._prompt_so_far[agent, session, model] = prompt
        return before // CACHE_STEP * CACHE_STEP if before >= CACHE_FROM else 0

    def as_json(self, *, one_token_more: bool = False) -> dict[str, object]:
        """The bill: every call, and sums by agent, model, operation and session; dollars are strings, never rounded.

        ``one_token_more`` falsifies it: the last call is billed one input token that it never used.
        """
        with self._lock:
            charges = list(self._charges)
            refusals = self._refusals
        if one_token_more and charges:
            charges[-1] = _one_token_more(charges[-1])
        return {
            "calls": [charge.as_json() for charge in charges],
            "byAgent": _sums(charges, lambda charge: charge.agent),
            "byModel": _sums(charges, lambda charge: charge.model),
            "byOperation": _sums(charges, lambda charge: charge.operation),
            "bySession": _sums([charge for charge in charges if charge.session], lambda charge: charge.session),
            "total": _sum(charges),
            "refusedAttempts": refusals,
        }


def dollars(pico: int) -> str:
    """Pico-USD as a plain decimal number of dollars, without trailing zeros."""
    return format(Decimal(pico).scaleb(-12).normalize(), "f")


def _one_token_more(charge: Charge) -> Charge:
    return Charge(
        id=charge.id,
        agent=charge.agent,
        session=charge.session,
        operation=charge.operation,
        model=charge.model,
        input_tokens=charge.input_tokens + 1,
        cached_input_tokens=charge.cached_input_tokens,
        output_tokens=charge.output_tokens,
        reasoning_tokens=charge.reasoning_tokens,
    )


def _sums(charges: list[Charge], group: Callable[[Charge], str]) -> dict[str, dict[str, str | int]]:
    names = sorted({group(charge) for charge in charges})
    return {name: _sum([charge for charge in charges if group(charge) == name]) for name in names}


def _sum(charges: list[Charge]) -> dict[str, str | int]:
    return {
        "calls": len(charges),
        "inputTokens": sum(charge.input_tokens for charge in charges),
        "cachedInputTokens": sum(charge.cached_input_tokens for charge in charges),
        "cacheWriteTokens": 0,
        "outputTokens": sum(charge.output_tokens for charge in charges),
        "reasoningTokens": sum(charge.reasoning_tokens for charge in charges),
        "costUsd": dollars(sum(charge.cost_pico for charge in charges)),
        "cacheDiscountUsd": dollars(sum(charge.discount_pico for charge in charges)),
    }
