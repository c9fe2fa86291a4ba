"""One call as a span states it: what was used, the id of the answer, the service tier, which model of whom.

A payload that holds the provider's own words outranks what the sender made of them.
"""

from typing import Final, NamedTuple

from collector import dialects_words as words
from collector.normalize_payload import Labels, read_payload
from collector.normalize_plan import Plan, bytes_of, semantics_of
from collector.normalize_usage import (
    COUNT_FIELDS,
    INCLUSIVE,
    Counts,
    Implausible,
    Settled,
    apply_payload,
    fill_from_payload,
    settle,
)
from collector.values import Bad, Said
from finops.spans import SpanClass
from finops.usage import TOKENS_PER_CALL_MAX

NAMES_MAX: Final = 4096
"""Provider names and hosts remembered with their meaning."""

_EMPTY_COUNTS: Final[Counts] = [None] * len(COUNT_FIELDS)
_NO_USAGE: Final = Settled(None, 0, ())
_EMBEDDINGS: Final = frozenset(("embeddings", "embedding", "aembedding", "EMBEDDING"))
_TIERS_UNSAID: Final = frozenset(("auto", "none", "null", "normal"))


class Provider(NamedTuple):
    """A provider's name today, and what the sender calls it."""

    name: str | None
    claim: str


class Refused(Exception):
    """Counts that cannot be believed."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Found(NamedTuple):
    """What a span says of one call."""

    settled: Settled
    response_id: str | None
    tier: str | None
    answered_by: str | None
    stepped: bool
    """The step of a graph that turned out to wrap exactly one call."""


def read_usage(plan: Plan, said: Said, span_class: SpanClass, provider: Provider, operation: str) -> Found:
    """What a span says was used; raises ``Refused`` where it cannot be believed."""
    found = Found(_NO_USAGE, said.get(plan.response_id), _tier(plan, said), None, False)
    if not plan.counts and not plan.payloads:
        return found
    counts = _counts(plan, said)
    semantics = semantics_of(plan, provider.name, provider.claim)
    if semantics.mark and (semantics.mark == "cumulativeUsage") == (span_class is SpanClass.CALL):
        semantics = semantics._replace(mark="")
    if plan.payloads:
        totals, found = _payloads(plan, said, span_class, counts, found)
        if totals:
            semantics = INCLUSIVE._replace(mark="" if span_class is SpanClass.CALL else semantics.mark)
    if plan.input_semantics:
        semantics = semantics._replace(input=f"explicit {said.get(plan.input_semantics)}")
    if semantics.estimated and _estimated(semantics.estimated, plan, said, counts):
        return found._replace(settled=Settled(None, 0, ("estimated",)))
    try:
        return found._replace(settled=settle(counts, semantics, operation in _EMBEDDINGS))
    except Implausible as error:
        raise Refused("implausible", str(error)) from None


def _counts(plan: Plan, said: Said) -> Counts:
    counts = _EMPTY_COUNTS.copy()
    for position, key in plan.counts:
        count = said[key]
        if not isinstance(count, int):
            raise Refused(Bad.COUNT.value, f"{key} is not a count")
        if count > TOKENS_PER_CALL_MAX:
            raise Refused("implausible", f"{key} is more than {TOKENS_PER_CALL_MAX}")
        counts[position] = count
    return counts


_OPENED_BY: Final = {
    SpanClass.CALL: frozenset(("answer", "buckets", "inclusive", "metadata", "inputDetails", "outputDetails")),
    SpanClass.AGGREGATE: frozenset(("step", "buckets", "inclusive")),
    SpanClass.AGENT: frozenset(("buckets", "inclusive")),
}


def _payloads(plan: Plan, said: Said, span_class: SpanClass, counts: Counts, found: Found) -> tuple[bool, Found]:
    """Whether a payload gave totals, and what else it says. Only calls have answers, only steps of a graph updates."""
    totals = stepped = False
    opened = _OPENED_BY.get(span_class, ())
    for source in plan.payloads:
        if source.form not in opened:
            continue
        payload = read_payload(bytes_of(said[source.key]), source.form)
        if payload.usage is not None and totals:
            fill_from_payload(counts, payload.usage)
        elif payload.usage is not None:
            totals = apply_payload(counts, payload.usage)
            stepped = totals and source.form == "step"
        found = found._replace(
            response_id=found.response_id or payload.response_id,
            tier=found.tier or payload.service_tier,
            answered_by=found.answered_by or payload.model,
        )
    return totals, found._replace(stepped=stepped)


def _estimated(when: str, plan: Plan, said: Said, counts: Counts) -> bool:
    """Whether the library guessed the counts from the text because the provider stated none."""
    streamed = bool(plan.streaming) and said[plan.streaming] is True
    if when == "always":
        return True
    if when == "stream" and plan.function:
        return streamed or str(said[plan.function]).endswith("_stream")
    if when == "stream":
        return streamed
    if when == "streamWithoutCacheKey":
        return streamed and counts[2] is None
    return str(said.get(plan.request_model, "")).startswith(("cohere.command", "mistral"))


def _tier(plan: Plan, said: Said) -> str | None:
    for key in plan.service_tier:
        tier = str(said[key]).lower()
        if tier not in _TIERS_UNSAID:
            return tier
    return None


def read_provider(plan: Plan, said: Said) -> Provider:
    """The provider by name, or by host where the name is a client library's."""
    claim = ""
    name = None
    for key in plan.provider:
        sent = str(said[key])
        claim = claim or sent
        name = _remembered(_PROVIDERS, sent, words.known_provider)
        if name is not None:
            break
    if plan.host and words.overridable(name):
        for key in plan.host:
            host = _remembered(_HOSTS, str(said[key]), words.host_provider)
            if host is not None:
                return Provider(host, claim)
    return Provider(name, claim)


_PROVIDERS: dict[str, str | None] = {}
_HOSTS: dict[str, str | None] = {}


def _remembered(memory: dict[str, str | None], word: str, meaning_of: "words.Meaning") -> str | None:
    try:
        return memory[word]
    except KeyError:
        if len(memory) >= NAMES_MAX:
            memory.clear()
        meaning = memory[word] = meaning_of(word)
        return meaning


def read_models(
    plan: Plan,
    said: Said,
    span_class: SpanClass,
    provider: Provider,
    labels: Labels | None,
    answered_by: str | None,
) -> tuple[str | None, str | None, str | None]:
    """Provider, request model and response model; an id that only one provider has outweighs what is claimed."""
    name = provider.name
    if name is None and labels is not None and labels.provider:
        name = words.known_provider(labels.provider)
    request, response = said.get(plan.request_model), answered_by or said.get(plan.response_model)
    if plan.request_model == "litellm.provider.model" or plan.dialect == "litellm":
        name = words.prefix_provider(request) or name
    if span_class is SpanClass.CALL:
        for model in (request, response):
            name = (words.deciding_provider(model) if model else None) or name
        name = name or words.dialect_provider(plan.dialect) or words.model_provider(response or request)
    request = words.bare_model(request, name) if request else None
    response = words.bare_model(response, name) if response else None
    if name == "aws.bedrock" and request and response and response in request:
        response = None
    return name, request, response
