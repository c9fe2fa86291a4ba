"""What names mean: of providers, hosts, models, chains and caches (``providers.toml``, ``classes.toml``)."""

import re
import tomllib
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, NamedTuple


class Words(NamedTuple):
    """A map from values to meanings; ``*`` in a value matches any run of text."""

    exact: dict[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...]

    def get(self, value: str) -> str:
        """The meaning of ``value``, or '' where it has none."""
        meaning = self.exact.get(value)
        if meaning is not None:
            return meaning
        return next((meaning for pattern, meaning in self.patterns if pattern.match(value)), "")


def read_table(name: str) -> dict[str, Any]:
    """One of the tables, as written."""
    return tomllib.loads(files("collector").joinpath("dialects", name).read_text("utf-8"))


def glob(pattern: str) -> re.Pattern[str]:
    """A pattern in which ``*`` matches any run of text."""
    return re.compile(translate(pattern))


def words_of(meanings: dict[str, str]) -> Words:
    """Words out of a table."""
    exact = {value: meaning for value, meaning in meanings.items() if "*" not in value}
    patterns = tuple((glob(value), meaning) for value, meaning in meanings.items() if "*" in value)
    return Words(exact, patterns)


_PROVIDERS = read_table("providers.toml")
_NOT_PROVIDERS: Final = frozenset(_PROVIDERS["not_providers"])
_OVERRIDABLE: Final = frozenset(_PROVIDERS["overridable"])
_HOSTS: Final = [(glob(pattern), provider) for pattern, provider in _PROVIDERS["hosts"].items()]
_ALIASES: Final[dict[str, str]] = _PROVIDERS["alias"]


def known_provider(claim: str) -> str | None:
    """Today's name of the provider that ``claim`` means; None for a framework's name, ``claim`` if unheard of."""
    name = claim.lower()
    alias = _ALIASES.get(name)
    if alias is not None:
        return alias
    if name in _NOT_PROVIDERS:
        return None
    head = name.partition(".")[0]
    return _ALIASES.get(head) if head != name and head in _ALIASES else name


def host_provider(address: str) -> str | None:
    """The provider behind a host name or URL, where the host tells."""
    host = address.partition("://")[2] or address
    host = host.partition("/")[0].partition(":")[0].lower()
    return next((provider for pattern, provider in _HOSTS if pattern.match(host)), None)


def overridable(provider: str | None) -> bool:
    """Whether the host may say otherwise: client libraries use this name for whoever speaks their protocol."""
    return provider is None or provider in _OVERRIDABLE


_BY_DIALECT: Final[dict[str, str]] = _PROVIDERS["dialect"]
Meaning = Callable[[str], str | None]
_MODEL_PREFIXES: Final[dict[str, str]] = _PROVIDERS["model_prefix"]
_CHAIN_NAMES: Final = words_of(dict.fromkeys(read_table("classes.toml")["chain_names"], "chain"))
_FRAME_SCOPES: Final = [glob(pattern) for pattern in read_table("classes.toml")["frame_scopes"]]
_MODEL_DECIDES: Final = [(glob(pattern), provider) for pattern, provider in _PROVIDERS["model_decides"].items()]
_CACHE_WORDS: Final = {key: words_of(words) for key, words in read_table("classes.toml")["cache_words"].items()}


def model_provider(model: str | None) -> str | None:
    """The provider a model's id gives away, where the sender names none."""
    name = (model or "").lower()
    return next((provider for prefix, provider in _MODEL_PREFIXES.items() if name.startswith(prefix)), None)


def dialect_provider(dialect: str) -> str | None:
    """The provider that a coding agent talks to unless it says otherwise."""
    return _BY_DIALECT.get(dialect)


@lru_cache(maxsize=4096)
def deciding_provider(model: str) -> str | None:
    """The one provider that has a model of this form of id, or None."""
    name = model.lower()
    return next((provider for pattern, provider in _MODEL_DECIDES if pattern.match(name)), None)


@lru_cache(maxsize=4096)
def bare_model(model: str, provider: str | None) -> str | None:
    """A model id without its own provider in front (``openai/gpt-4o``); None where it is a provider's name only."""
    head, slash, rest = model.partition("/")
    if slash and rest and provider is not None and provider != "openrouter" and _ALIASES.get(head.lower()) == provider:
        return rest
    return None if model.lower() in _ALIASES else model


def prefix_provider(model: str | None) -> str | None:
    """The provider in front of a model id, as a router writes it (``anthropic/claude-...``)."""
    head, slash, _ = (model or "").partition("/")
    return _ALIASES.get(head.lower()) if slash else None


@lru_cache(maxsize=1024)
def is_frame_scope(scope: str) -> bool:
    """Whether an agent span without a name only frames the runs inside it."""
    return any(pattern.match(scope) for pattern in _FRAME_SCOPES)


@lru_cache(maxsize=1024)
def is_chain_name(name: str) -> bool:
    """Whether ``name`` is what a framework calls its plain chains."""
    return bool(_CHAIN_NAMES.get(name))


def cache_kind(key: str, value: str) -> str:
    """'exact', 'semantic' or 'unknown' where a word of a cache means a hit; '' where it means none."""
    return _CACHE_WORDS[key].get(value.upper()) if key in _CACHE_WORDS else ""
