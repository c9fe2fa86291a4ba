"""How to read one shape of span: compiled once for each emitter and set of attributes, then used for every such span.

A span's wanted attributes arrive as a small dict; which of them gives which field depends only on which keys are
there, so the choice is made once and remembered.
"""

import re
from typing import Final, NamedTuple

from collector import dialects_table as table
from collector.dialects_table import CLASS_RULES, FIELDS, SCOPED_DIALECTS, ClassRule, ScopeRow, Source
from collector.dialects_words import Words
from collector.normalize_usage import COUNT_FIELDS, UNKNOWN, Semantics
from collector.values import Value
from finops.spans import Dimensions, SpanClass

PLANS_PER_SCOPE_MAX: Final = 128
"""Shapes remembered for one emitter; beyond that they are compiled anew."""

_DIMENSION_FIELDS: Final = frozenset(("session", "user", "org", "team", "environment", "agent", "agent_id"))
_BARE_KEYS: Final = frozenset(
    (
        "metadata", "hidden_params", "duration", "input.value", "output.value", "llm.invocation_parameters", "model",
        "tool_name", "input_tokens", "output_tokens", "speed", "slug", "call_id", "event.name",
        "code.function.name", "graph.node.id",
    )
)  # fmt: skip
"""Words that other programs use too: alone they do not make a span one of ours."""
_PLAIN_KEYS: Final = _BARE_KEYS | {
    source.key
    for name in (*_DIMENSION_FIELDS, "host")
    for source in FIELDS[name].sources
    if not source.key.startswith(("gen_ai.agent", "ai.", "finops.agent"))
}


class ClassStep(NamedTuple):
    """One question of the classification: a key to look up, or the name of the span (key ''), or an answer at once."""

    key: str
    words: Words | None
    answer: SpanClass


class Plan(NamedTuple):
    """Where each field of a record comes from in one shape of span; '' or () where from nowhere."""

    dialect: str
    plain: bool
    """Nothing here has to do with generative AI."""
    classes: tuple[ClassStep, ...]
    counts: tuple[tuple[int, str], ...]
    """Position in the counts, attribute."""
    payloads: tuple[Source, ...]
    cost_payloads: tuple[Source, ...]
    labels: tuple[str, ...]
    contents: tuple[str, ...]
    """What a replayed answer is recognised by where it has no id: question and answer."""
    seconds: str
    provider: tuple[str, ...]
    host: tuple[str, ...]
    request_model: str
    response_model: str
    response_id: str
    service_tier: tuple[str, ...]
    processing: str
    streaming: str
    function: str
    reported_cost: str
    reported_micros: str
    operation: tuple[str, ...]
    tool: str
    agent: tuple[str, ...]
    agent_id: str
    node: str
    entity: str
    session: tuple[str, ...]
    user: str
    org: str
    team: str
    environment: str
    yields: tuple[bool, ...]
    """For each of ``Dimensions``, whether it gives way to what the resource states; () where nothing does."""
    cache_hit: str
    cache_kind: str
    cache_words: tuple[str, ...]
    hidden_params: str
    owner_said: bool
    cache_said: bool
    cost_said: bool
    input_semantics: str
    rows: tuple[ScopeRow, ...]
    semantics: dict[tuple[str | None, str], Semantics]
    """Filled as providers are met; bounded by their number."""


class Emitter:
    """One instrumentation scope and version, with the plans made for its spans."""

    __slots__ = ("_plans", "_rows", "scope", "version")

    def __init__(self, scope: str, version: str) -> None:
        self.scope = scope
        self.version = version
        self._rows = table.scope_rows(scope, version)
        self._plans: dict[tuple[str, ...], Plan] = {}

    def plan(self, keys: tuple[str, ...]) -> Plan:
        """The plan for spans whose wanted attributes are ``keys``, in the order sent."""
        plan = self._plans.get(keys)
        if plan is None:
            if len(self._plans) >= PLANS_PER_SCOPE_MAX:
                self._plans.clear()
            plan = self._plans[keys] = _compile(self.scope, keys, self._rows)
        return plan


def _compile(scope: str, ordered: tuple[str, ...], rows: tuple[ScopeRow, ...]) -> Plan:
    keys = frozenset(ordered)
    dialects, found = _found(scope, keys)

    def first(name: str) -> str:
        return found[name][0].key if found[name] else ""

    def every(name: str) -> tuple[str, ...]:
        return tuple(source.key for source in found[name])

    classes = tuple(_class_steps(scope, keys, found))
    return Plan(
        dialect=_dialect(dialects, found["input_tokens"]),
        plain=not classes and not (keys - _PLAIN_KEYS),
        classes=classes,
        counts=tuple((at, first(name)) for at, name in enumerate(COUNT_FIELDS) if found[name]),
        payloads=tuple(found["payload"]),
        cost_payloads=tuple(found["reported_cost_payload"]),
        labels=every("labels"),
        contents=tuple(key for key in ("input.value", "output.value") if key in keys),
        seconds=first("seconds"),
        provider=every("provider"),
        host=every("host"),
        request_model=first("request_model"),
        response_model=first("response_model"),
        response_id=first("response_id"),
        service_tier=every("service_tier"),
        processing=first("processing"),
        streaming=first("streaming"),
        function=first("function"),
        reported_cost=first("reported_cost"),
        reported_micros=first("reported_cost_micros"),
        operation=every("operation"),
        tool=first("tool"),
        agent=every("agent"),
        agent_id=first("agent_id"),
        node=first("agent_node"),
        entity=first("agent_entity"),
        session=every("session"),
        user=first("user"),
        org=first("org"),
        team=first("team"),
        environment=first("environment"),
        yields=_yields(scope, keys, found),
        cache_hit=first("cache_hit"),
        cache_kind=first("cache_kind"),
        cache_words=every("cache_word"),
        hidden_params=first("hidden_params"),
        owner_said=any(found[name] for name in ("session", "user", "org", "team", "environment")),
        cache_said=any(found[name] for name in ("cache_hit", "cache_word", "hidden_params")),
        cost_said=any(name.startswith("reported_cost") and found[name] for name in found),
        input_semantics=first("input_semantics"),
        rows=tuple(row for row in rows if _row_holds(row, ordered)),
        semantics={},
    )


def _found(scope: str, keys: frozenset[str]) -> tuple[tuple[str, ...], dict[str, list[Source]]]:
    """The dialects recognised, and the sources that are there for each field."""
    dialects = table.find_dialects(scope, keys)
    return dialects, {name: _present(name, keys, dialects) for name in FIELDS}


def _present(name: str, keys: frozenset[str], dialects: tuple[str, ...]) -> list[Source]:
    return [
        source for source in FIELDS[name].sources
        if source.key in keys and (source.dialect not in SCOPED_DIALECTS or source.dialect in dialects)
    ]  # fmt: skip


def _yields(scope: str, keys: frozenset[str], found: dict[str, list[Source]]) -> tuple[bool, ...]:
    """Only a word of ours on the span itself stands."""
    if not table.yields_to_resource(scope, keys):
        return ()
    return tuple(not found[name] or found[name][0].dialect != "finops" for name in Dimensions._fields)


def _dialect(dialects: tuple[str, ...], read: list[Source]) -> str:
    if dialects:
        return dialects[0]
    return read[0].dialect if read else ""


def _row_holds(row: ScopeRow, keys: tuple[str, ...]) -> bool:
    if (row.needs and row.needs not in keys) or (row.without and row.without in keys):
        return False
    places = [keys.index(key) for key in row.order if key in keys]
    return len(places) == len(row.order) and places == sorted(places)


def _class_steps(scope: str, keys: frozenset[str], found: dict[str, list[Source]]) -> list[ClassStep]:
    usage = any(found[name] for name in (*COUNT_FIELDS, "payload"))
    model = bool(found["request_model"])
    steps = []
    for rule in CLASS_RULES:
        if (rule.scope is not None and not rule.scope.match(scope)) or (rule.unmetered and usage):
            continue
        if rule.name or (rule.key and rule.key in keys):
            steps.append(ClassStep(rule.key, rule.words, SpanClass.PLAIN))
        elif _answers(rule, keys, usage and model):
            steps.append(ClassStep("", None, rule.span_class))
            break
    return steps


def _answers(rule: ClassRule, keys: frozenset[str], usage: bool) -> bool:
    return (bool(rule.present) and rule.present in keys) or (rule.usage and usage)


def semantics_of(plan: Plan, provider: str | None, claim: str) -> Semantics:
    """What is known of this emitter's counts for a provider, the sender calling it ``claim``."""
    known = plan.semantics.get((provider, claim))
    if known is None:
        rows = [row for row in plan.rows if _provider_allowed(row, provider, claim)]
        known = Semantics(
            *(next((value for row in rows if (value := getattr(row, name))), "") for name in Semantics._fields)
        )
        known = UNKNOWN if known == UNKNOWN else known
        if len(plan.semantics) < PLANS_PER_SCOPE_MAX:
            plan.semantics[(provider, claim)] = known
    return known


def _provider_allowed(row: ScopeRow, provider: str | None, claim: str) -> bool:
    if row.claims and row.claims != claim:
        return False
    if not row.provider:
        return True
    if row.provider[0].startswith("!"):
        return f"!{provider}" not in row.provider
    return provider in row.provider


GENERATED_ID: Final = re.compile(
    r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|[0-9a-f]{16,}|.*[_-][0-9a-zA-Z]{20,}|\d{6,}", re.I
)
"""The form of ids that are made anew for every object: never the name of an agent."""
ANSWER_ID: Final = re.compile(r"(?:resp|chatcmpl|msg|run|lc_run-)[_-]")
"""The form of an answer's id: never the id of a session."""


def number_of(value: Value) -> int:
    """A value that is a number."""
    return value if isinstance(value, int) else 0


def bytes_of(value: Value) -> bytes:
    """A value that is a payload."""
    return value if isinstance(value, bytes) else b""
