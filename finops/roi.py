"""What caching brought in, against what it cost: savings of both kinds of cache, less the cost of embeddings."""

from typing import NamedTuple


class CacheMoney(NamedTuple):
    """Sums over some period, in pico-USD."""

    semantic_savings_pico: int
    """Model calls that a response cache answered instead, at what they would have cost."""
    prompt_savings_pico: int
    """Saved by the providers' prompt caches, net of the premium on cache writes; may be negative."""
    embedding_cost_pico: int
    """Priced embedding calls: what looking things up by meaning costs."""

    @property
    def savings_pico(self) -> int:
        """Both kinds of cache together."""
        return self.semantic_savings_pico + self.prompt_savings_pico

    @property
    def net_pico(self) -> int:
        """Savings less the cost of embeddings; negative where caching loses money."""
        return self.savings_pico - self.embedding_cost_pico
