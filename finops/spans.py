"""The datum that travels: what one span says of itself once its vocabulary has been read (stage *normalize*).

Absent is ``None``. Nothing here has been counted or priced, and nothing has been inherited from a parent yet.
"""

from enum import IntEnum
from typing import NamedTuple

from finops.usage import TokenUsage


class SpanClass(IntEnum):
    """What a span is for the counting rule. The numbers are stored: never reuse one."""

    PLAIN = 0
    """No generative-AI meaning (HTTP, database, application code): kept as a link in the chain of parents only."""
    CALL = 1
    """One request to a model provider."""
    AGENT = 2
    """A run of an agent; usage on it repeats its children's."""
    AGGREGATE = 3
    """A workflow, chain or step; usage on it repeats its children's."""
    TOOL = 4
    """One execution of a tool."""
    FETCH = 5
    """Reads an answer that was paid for elsewhere (polling); never billed."""
    OTHER = 6
    """Generative-AI, but neither bills nor aggregates (retrieval, memory, guardrail)."""


class Dimensions(NamedTuple):
    """Who a call belongs to, as far as one place (a span, or a resource) says so."""

    org: str | None = None
    team: str | None = None
    agent: str | None = None
    session: str | None = None
    user: str | None = None
    environment: str | None = None


NO_DIMENSIONS = Dimensions()


class SpanRecord(NamedTuple):
    """One span after *normalize*. Identity is (tenant, trace_id, span_id)."""

    tenant: str
    """Organisation of the ingest token, or '' where the sender needs none."""
    trace_id: bytes
    """16 bytes."""
    span_id: bytes
    """8 bytes."""
    parent_id: bytes
    """8 bytes, or b'' for a root."""
    span_class: SpanClass
    start_ns: int
    """Unix time in nanoseconds, as sent (0 where absent)."""
    end_ns: int
    name: str = ""
    """Operation and model, tool or agent, at most 128 characters; only for people. Never the span's own name."""
    scope: str = ""
    """Instrumentation scope name."""
    dialect: str = ""
    """The vocabulary that gave the usage (a name in the dialect table), or that gave the class."""
    own: Dimensions = NO_DIMENSIONS
    """Said by the span itself."""
    resource: Dimensions = NO_DIMENSIONS
    """Said by the resource; used where neither the span nor an ancestor says it."""
    service: str = ""
    """service.name of the resource."""
    operation: str = ""
    """gen_ai.operation.name in today's terms: chat, embeddings, invoke_agent, execute_tool, ..."""
    provider: str | None = None
    """Canonical provider (gen_ai.provider.name values)."""
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    """The provider's id of the answer; the same on every copy of one call, in whatever trace."""
    usage: TokenUsage | None = None
    """None: the span states no usage. A call without usage is a call with unknown tokens, never zero."""
    usage_detail: int = 0
    """How many distinct usage counts the span states; the copy with more detail wins."""
    tool: str | None = None
    """Name of the tool (class TOOL)."""
    agent_run: str | None = None
    """What tells this agent run from another marker of the same run: agent id or name (class AGENT)."""
    cache_hit: str | None = None
    """'semantic', 'exact' or 'unknown' where a response cache answered instead of the provider."""
    service_tier: str | None = None
    """As the response says, else the request; None where unknown or 'auto'."""
    batch: bool = False
    """Sent through a provider's batch endpoint."""
    error: bool = False
    """Span status ERROR."""
    reported_cost_pico_usd: int | None = None
    """Cost the sender computed for itself; kept beside ours, never trusted."""
    flags: tuple[str, ...] = ()
    """Sorted quality marks: inclusiveAssumed, partialUsage, estimated, clamped, ..."""


class Rejected(NamedTuple):
    """A span that cannot be believed: it goes to suspense with its reason, its neighbours are kept."""

    reason: str
    """invalid_id, bad_usage, implausible, ambiguous, too_large, ..."""
    detail: str
    """One line for people; never the content of a prompt."""
    trace_id: bytes = b""
    span_id: bytes = b""
    tenant: str = ""
    form: str = ""
    """What ``body`` is; '' where nothing is kept."""
    body: bytes = b""
    """What of the span can be tried again once the fault is mended; never text of a prompt."""


class AppendOutcome(NamedTuple):
    """What became of one batch: received = posted + redelivered + suspense + ignored."""

    received: int = 0
    posted: int = 0
    """Spans seen for the first time and kept."""
    redelivered: int = 0
    """Spans already kept under the same identity."""
    suspense: int = 0
    """Spans refused with a reason."""
    ignored: int = 0
    """Spans without any meaning for cost."""
    conflicts: int = 0
    """Of the redelivered: same identity, other content."""


class LedgerUnavailable(Exception):
    """The ledger cannot take the batch now; nothing was kept; trying again later can help."""
