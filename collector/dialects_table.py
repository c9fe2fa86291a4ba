"""The dialect tables (``dialects/*.toml``) read once and made ready for lookups.

Which attributes are wanted and of what kind, which class a value means, what is known of single emitters. What names
mean is ``dialects_words``; applying all this to a span is ``normalize``'s work.
"""

import re
from functools import cache
from typing import Final, NamedTuple

from collector.dialects_words import Words, glob, read_table, words_of
from finops.spans import SpanClass

CLASS_NAMES: Final = {
    "plain": SpanClass.PLAIN, "call": SpanClass.CALL, "agent": SpanClass.AGENT, "aggregate": SpanClass.AGGREGATE,
    "tool": SpanClass.TOOL, "fetch": SpanClass.FETCH, "other": SpanClass.OTHER,
}  # fmt: skip


class Source(NamedTuple):
    """One place a field can be read from. ``form`` tells how a payload is shaped, else it is ''."""

    dialect: str
    key: str
    form: str


class Field(NamedTuple):
    """A field of the usage record with its sources in order."""

    name: str
    kind: str
    sources: tuple[Source, ...]


class ClassRule(NamedTuple):
    """One classification rule; exactly one of key, name, present, usage is set."""

    key: str
    name: bool
    scope: re.Pattern[str] | None
    present: str
    usage: bool
    unmetered: bool
    words: Words
    span_class: SpanClass


class Dialect(NamedTuple):
    """How one dialect is recognised."""

    id: str
    scopes: tuple[re.Pattern[str], ...]
    keys: frozenset[str]
    prefixes: tuple[str, ...]
    yields: bool


class ScopeRow(NamedTuple):
    """What is known of one emitter; '' where the row does not say."""

    scope: re.Pattern[str]
    version: tuple[tuple[str, tuple[int, ...]], ...]
    provider: tuple[str, ...]
    claims: str
    needs: str
    without: str
    order: tuple[str, ...]
    input: str
    output: str
    total: str
    estimated: str
    mark: str


def _sources(entries: list[list[str]], vendors: list[str]) -> tuple[Source, ...]:
    return tuple(
        Source(dialect, key.replace("{vendor}", vendor), form[0] if form else "")
        for dialect, key, *form in entries
        for vendor in (vendors if "{vendor}" in key else [""])
    )


def _fields() -> tuple[dict[str, Field], frozenset[str]]:
    table = read_table("fields.toml")
    scoped = frozenset(table.pop("scoped"))
    vendors = table["payload"]["vendors"]
    fields = {name: Field(name, body["kind"], _sources(body["keys"], vendors)) for name, body in table.items()}
    return fields, scoped


FIELDS, SCOPED_DIALECTS = _fields()
RESOURCE_KEYS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(keys) for name, keys in read_table("resources.toml").items()
}


def _class_rules() -> tuple[ClassRule, ...]:
    return tuple(
        ClassRule(
            key=row.get("key", ""),
            name=row.get("name", False),
            scope=glob(row["scope"]) if "scope" in row else None,
            present=row.get("present", ""),
            usage=row.get("usage", False),
            unmetered=row.get("unmetered", False),
            words=words_of(row.get("map", {})),
            span_class=CLASS_NAMES[row.get("class", "plain")],
        )
        for row in read_table("classes.toml")["rule"]
    )


CLASS_RULES: Final = _class_rules()


def _dialects() -> tuple[Dialect, ...]:
    return tuple(
        Dialect(
            id=row["id"],
            scopes=tuple(map(glob, row.get("scopes", []))),
            keys=frozenset(key for key in row.get("keys", []) if not key.endswith("*")),
            prefixes=tuple(key[:-1] for key in row.get("keys", []) if key.endswith("*")),
            yields=row.get("yields", False),
        )
        for row in read_table("dialects.toml")["dialect"]
    )


DIALECTS: Final = _dialects()


def _scope_rows() -> tuple[ScopeRow, ...]:
    return tuple(
        ScopeRow(
            scope=glob(row.get("scope", "*")),
            version=_version_range(row.get("version", "")),
            provider=tuple(row.get("provider", ())),
            claims=row.get("claims", ""),
            needs=row.get("with", ""),
            without=row.get("without", ""),
            order=tuple(row.get("order", ())),
            input=row.get("input", ""),
            output=row.get("output", ""),
            total=row.get("total", ""),
            estimated=row.get("estimated", ""),
            mark=row.get("mark", ""),
        )
        for row in read_table("scopes.toml")["scope"]
    )


def _version_range(text: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    parts = (re.match(r"(<=|>=|<|>)(.+)", part) for part in text.split(",") if part)
    return tuple((part[1], version_numbers(part[2])) for part in parts if part)


def version_numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: "0.62.4" and "1.3b0" as (0, 62, 4) and (1, 3); () where there are none."""
    leading = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, leading[0].split("."))) if leading else ()


SCOPE_ROWS: Final = _scope_rows()


class LogEvent(NamedTuple):
    """A log event that states the usage of one model call."""

    name: str
    aliases: frozenset[str]
    scope: re.Pattern[str]
    when: dict[str, str]
    never_from: tuple[re.Pattern[str], ...]


def _log_events() -> tuple[LogEvent, ...]:
    return tuple(
        LogEvent(
            name=row["name"],
            aliases=frozenset(row.get("aliases", ())),
            scope=glob(row.get("scope", "*")),
            when=row.get("when", {}),
            never_from=tuple(map(glob, row.get("never_from", ()))),
        )
        for row in read_table("log_events.toml")["event"]
    )


LOG_EVENTS: Final = _log_events()


def version_allowed(version: tuple[int, ...], bounds: tuple[tuple[str, tuple[int, ...]], ...]) -> bool:
    """Whether a version lies in a range; a version that is not told lies in none."""
    if not bounds:
        return True
    if not version:
        return False
    compare = {"<": version.__lt__, "<=": version.__le__, ">": version.__gt__, ">=": version.__ge__}
    return all(compare[sign](bound) for sign, bound in bounds)


@cache
def dialect_keys() -> frozenset[str]:
    """Every attribute that some table names."""
    keys = {source.key for field in FIELDS.values() for source in field.sources}
    keys |= {rule.key or rule.present for rule in CLASS_RULES}
    keys |= {key for dialect in DIALECTS for key in dialect.keys}
    keys |= {"event.name", *(key for event in LOG_EVENTS for key in event.when)}
    return frozenset(keys - {""})


def key_kinds() -> dict[str, str]:
    """Every wanted attribute with the kind its value is read as."""
    kinds = dict.fromkeys(dialect_keys(), "text")
    for field in FIELDS.values():
        for source in field.sources:
            kinds[source.key] = field.kind
    return kinds


def find_dialects(scope: str, keys: frozenset[str]) -> tuple[str, ...]:
    """The dialects recognised on a span, in the table's order."""
    return tuple(dialect.id for dialect in DIALECTS if _recognised(dialect, scope, keys))


def _recognised(dialect: Dialect, scope: str, keys: frozenset[str]) -> bool:
    return bool(dialect.keys & keys) or _named(dialect, scope, keys)


def _named(dialect: Dialect, scope: str, keys: frozenset[str]) -> bool:
    if any(pattern.match(scope) for pattern in dialect.scopes):
        return True
    return bool(dialect.prefixes) and any(key.startswith(dialect.prefixes) for key in keys)


def yields_to_resource(scope: str, keys: frozenset[str]) -> bool:
    """Whether a program speaks that nobody can tell whose its calls are; by its name, not by a word of others too."""
    return any(_named(dialect, scope, keys) for dialect in DIALECTS if dialect.yields)


def scope_rows(scope: str, version: str) -> tuple[ScopeRow, ...]:
    """The rows that can hold for spans of one emitter."""
    numbers = version_numbers(version)
    return tuple(row for row in SCOPE_ROWS if row.scope.match(scope) and version_allowed(numbers, row.version))
