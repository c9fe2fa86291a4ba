"""How long names are kept: cut, with the hash of the whole behind, so that two long names stay two."""

from hashlib import sha256
from typing import Final

AGENT_CHARACTERS_MAX: Final = 128
"""A longer name of an agent is shortened, wherever it comes in."""
_HASH_CHARACTERS: Final = 16


def shortened(text: str, cap: int) -> str:
    """``text`` in at most ``cap`` characters."""
    if len(text) <= cap:
        return text
    digest = sha256(text.encode("utf-8", "replace")).hexdigest()[:_HASH_CHARACTERS]
    return f"{text[: cap - _HASH_CHARACTERS - 1]}~{digest}"


def agent_name(text: str) -> str:
    """The name of an agent as the ledger keeps it."""
    return shortened(text, AGENT_CHARACTERS_MAX)
