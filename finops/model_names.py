"""Names of providers and models as senders write them, brought to the names a price list uses.

Nothing here knows a price. A rewriting never shortens a name to a mere prefix of it: what is cut is a whole part with
a known meaning (a date, a region, a path, a vendor), and the more exact name is always tried before the shorter one.
"""

import re
from typing import NamedTuple

MODEL_ID_LENGTH_MAX = 256
"""Longer model ids are cut; no price list knows any."""

UNKNOWN_MODEL = "unknown"

_ALIASES = {
    "openai": "text-completion-openai openai.responses openai.chat openai.completion openai.embedding openai-chat",
    "azure.ai.openai": "azure azure_openai azureopenai az.ai.openai azure-openai.chat azure.responses azure.chat",
    "azure.ai.inference": "az.ai.inference azure_ai foundry",
    "anthropic": "anthropic anthropic.messages",
    "aws.bedrock": "aws aws_bedrock bedrock bedrock_converse amazon-bedrock",
    "aws.sagemaker": "sagemaker",
    "gcp.vertex_ai": (
        "vertex_ai vertex_ai_beta vertex_ai-anthropic_models vertexai google-vertex google.vertex.chat "
        "google.vertex.anthropic.messages vertex.anthropic.messages vertex"
    ),
    "gcp.gemini": "gemini google google-gla google.generative-ai gcp.gen_ai",
    "mistral_ai": "mistral mistralai mistral.chat",
    "cohere": "cohere cohere_chat",
    "x_ai": "x_ai xai xai.chat grok x-ai",
    "deepseek": "deepseek deepseek.chat",
    "groq": "groq groq.chat",
    "perplexity": "perplexity",
    "moonshot_ai": "moonshot moonshotai",
    "ibm.watsonx.ai": "watsonx",
    "openrouter": "openrouter",
    "together": "together together_ai togetherai.chat together-ai",
    "fireworks": "fireworks fireworks_ai",
    "cerebras": "cerebras",
    "huggingface": "huggingface hugging_face",
    "databricks": "databricks",
    "novita": "novita",
    "github_copilot": "github_copilot github-copilot",
    "vercel_ai_gateway": "gateway vercel",
    "self_hosted": "ollama hosted_vllm vllm nvidia_nim",
    "replicate": "replicate",
    "aleph_alpha": "aleph_alpha",
    "voyageai": "voyageai voyage",
    "meta": "meta",
    "minimax": "minimax",
    "zai": "zai z-ai",
}
PROVIDER_ALIASES: dict[str, str] = {
    alias: canonical for canonical, aliases in _ALIASES.items() for alias in (canonical, *aliases.split())
}
"""Lower-case name as sent, to the name the ledger uses (values of ``gen_ai.provider.name`` where it has one)."""

NEVER_GUESSED = frozenset({"self_hosted", "aws.sagemaker", "replicate", "huggingface", "ibm.watsonx.ai", "aleph_alpha"})
"""Providers that run other people's models at prices of their own: another provider's price would be a lie."""

NOT_PROVIDERS = frozenset({"litellm", "unknown", "langchain", "strands-agents", "crewai", "gcp.vertex.agent"})
"""Frameworks and gateways that sign as the provider; they say nothing about who is paid."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[^:]*:[^:]*:(?P<type>[a-z-]+)/(?P<id>.+)", re.IGNORECASE)
_PATH = re.compile(r"(?:^|/)(?:models)/(?P<id>[^/].*)$", re.IGNORECASE)
_VERTEX_PATH = re.compile(r"(?:projects/|locations/|publishers/|models/)", re.IGNORECASE)
_OPAQUE_PATH = re.compile(r"(?:^|/)(?:endpoints|tunedmodels)/", re.IGNORECASE)
_GEO = re.compile(r"(?:us-gov|us|eu|apac|jp|au|ca|sa|global)\.(?=[a-z0-9-]+\.)")
_VENDOR_AND_MODEL = re.compile(r"(?P<vendor>[a-z0-9]+)\.[a-z][a-z0-9.-]*(?::\d+)?")
_BEDROCK_VENDORS = frozenset(
    {
        "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax", "mistral", "moonshot",
        "moonshotai", "nvidia", "openai", "qwen", "stability", "twelvelabs", "writer", "zai",
    }
)  # fmt: skip
_DATE = re.compile(
    r"(?:[-@](?:20\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|20\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
    r"|-(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?=$|:|-v\d)"
)
_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=$|:|-)")
_STAGE = re.compile(r"-(?:latest|preview|exp|experimental|\d{3})$")
_FINE_TUNE = re.compile(r"ft:(?P<base>[^:]+)(?::.*)?", re.IGNORECASE)
FREE_VARIANT = "free"
_VARIANT = re.compile(
    r"(?P<base>[^:]+/[^:]+):(?P<variant>free|nitro|floor|online|exacto|thinking|extended|beta)", re.IGNORECASE
)


class ModelName(NamedTuple):
    """One model id after its wrapping is taken off."""

    shown: str
    """What reports say: the sender's spelling without paths; '' where nothing was sent."""
    key: str
    """``shown`` in lower case: what is looked up."""
    opaque: bool = False
    """Names a deployment, endpoint or profile, not a model: only an operator can say which model it is."""


def canonical_provider(name: str | None) -> str:
    """The ledger's name of a provider; an unknown one is kept as sent, '' where none is known."""
    cleaned = clean_name(name)
    key = cleaned.lower()
    return "" if key in NOT_PROVIDERS else PROVIDER_ALIASES.get(key, cleaned)


def stated_provider(name: str) -> str:
    """The provider an operator names, in the ledger's word; '' (every provider) only where none is named."""
    return canonical_provider(name) or name.strip()


def model_name(raw: str | None) -> ModelName:
    """Takes ARNs, Vertex and Gemini paths off a model id."""
    cleaned = clean_name(raw)
    arn = _ARN.fullmatch(cleaned)
    if arn:
        opaque = arn["type"].lower() not in ("foundation-model", "inference-profile")
        shown = cleaned if opaque else arn["id"].rsplit("/", 1)[-1]
        return ModelName(shown, shown.lower(), opaque)
    if _OPAQUE_PATH.search(cleaned):
        return ModelName(cleaned, cleaned.lower(), True)
    path = _PATH.search(cleaned) if _VERTEX_PATH.match(cleaned) else None
    shown = path["id"] if path else cleaned
    return ModelName(shown, shown.lower())


def clean_name(text: str | None) -> str:
    """Without control characters and surrounding space, at most ``MODEL_ID_LENGTH_MAX`` characters; '' for None."""
    return _CONTROL.sub("", text).strip()[:MODEL_ID_LENGTH_MAX] if text else ""


def shown_model(request: ModelName, response: ModelName) -> str:
    """The id reports group by: what the answer says, or what was asked for where the answer only adds a date to it."""
    if request.key and undated(response.key) == request.key:
        return request.shown
    return response.shown or request.shown or UNKNOWN_MODEL


def undated(key: str) -> str:
    """Without its date; the same where it has none (``gpt-4o-2024-08-06`` is ``gpt-4o``)."""
    return _DATE.sub("", key, count=1)


def dashed_date(key: str) -> str:
    """With ``-20251211`` written as ``-2025-12-11``."""
    return _COMPACT_DATE.sub(r"-\1-\2-\3", key, count=1)


def unstaged(key: str) -> str:
    """Without a trailing ``-latest``, ``-preview`` or ``-001``."""
    return _STAGE.sub("", key)


def without_region(key: str) -> str:
    """Without the Bedrock prefix that says where inference runs (``us.anthropic.…``)."""
    return _GEO.sub("", key, count=1) if _GEO.match(key) else key


def fine_tune_base(key: str) -> str | None:
    """The model a fine-tune was made from (``ft:gpt-4o:org::id``), or None."""
    match = _FINE_TUNE.fullmatch(key)
    return match["base"] if match else None


def variant(key: str) -> tuple[str, str] | None:
    """(``vendor/model``, variant) of an OpenRouter id with a known way of routing after the colon, or None."""
    match = _VARIANT.fullmatch(key)
    return (match["base"], match["variant"]) if match else None


def vendor_prefix(key: str) -> tuple[str, str] | None:
    """(canonical provider, rest) where the first path segment names a provider, or None."""
    head, slash, rest = key.partition("/")
    provider = PROVIDER_ALIASES.get(head) if slash and rest else None
    return (provider, rest) if provider else None


def provider_by_shape(key: str) -> str | None:
    """The provider only whose ids look like this, or None."""
    if key.startswith("arn:aws"):
        return "aws.bedrock"
    if key.startswith("accounts/fireworks/"):
        return "fireworks"
    named = _VENDOR_AND_MODEL.fullmatch(without_region(key))
    return "aws.bedrock" if named and named["vendor"] in _BEDROCK_VENDORS else None
