"""What the billed calls of recordings cost, where two price lists agree on it: LiteLLM's and genai-prices' own.

LiteLLM runs in an environment of its own, with the price list in its wheel. Calls of audio, of a served tier other than
the default, of cache writes kept for an hour, and of models that only one list knows or the two price differently have
no price here, and their recordings are judged by tokens alone.
"""

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from corpus_loader import Scenario
from genai_prices import Usage, calc_price

from benchmarks.peers.described import Tool
from benchmarks.peers.installed import installed

LITELLM = Tool(packages=("litellm==1.108.7",), python="3.11")
AGREE = 1e-6
"""Relative."""
PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "aws.bedrock": "aws",
    "azure.openai": "azure",
    "groq": "groq",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    "mistral": "mistral",
}
LITELLM_PROVIDERS = {**PROVIDERS, "gcp.gemini": "gemini", "gcp.vertex_ai": "vertex_ai", "aws.bedrock": "bedrock"}
PROGRAM = """
import json, os, sys
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
def price(call):
    try:
        return sum(litellm.cost_per_token(**call))
    except Exception:
        return None
print(json.dumps([price(call) for call in json.load(sys.stdin)]))
"""


def costs(scenarios: Sequence[Scenario]) -> dict[str, float]:
    """USD by recording; those without an agreed price are left out.

    Raises:
        CannotInstall: LiteLLM is not to be had.
    """
    calls = [(scenario.id, call) for scenario in scenarios for call in scenario.truth["billed_calls"]]
    said = subprocess.run(
        [installed(LITELLM) / "python", "-c", PROGRAM],
        input=json.dumps([_for_litellm(call) for _, call in calls]),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: dict[str, float | None] = {scenario.id: 0.0 for scenario in scenarios if scenario.truth["billed_calls"]}
    for (id_, call), theirs in zip(calls, json.loads(said.splitlines()[-1]), strict=True):
        price, before = _agreed(call, theirs), found[id_]
        found[id_] = None if price is None or before is None else before + price
    return {id_: cost for id_, cost in found.items() if cost is not None}


def _agreed(call: dict[str, Any], theirs: float | None) -> float | None:
    special = call["service_tier"] not in (None, "default") or call["cache_write_1h_tokens"]
    if special or call["input_audio_tokens"] or call["output_audio_tokens"]:
        return None
    mine = _by_genai_prices(call)
    return mine if mine and theirs and abs(mine - theirs) <= AGREE * mine else None


def _by_genai_prices(call: dict[str, Any]) -> float | None:
    usage = Usage(
        input_tokens=call["input_tokens_total"] + call["embedding_tokens"],
        cache_read_tokens=call["cache_read_tokens"],
        cache_write_tokens=call["cache_write_5m_tokens"],
        output_tokens=call["output_tokens_total"],
    )
    try:
        model = call["model_returned"] or call["model_requested"]
        return float(calc_price(usage, model, provider_id=PROVIDERS.get(call["provider"])).total_price)
    except LookupError:
        return None


def _for_litellm(call: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": call["model_returned"] or call["model_requested"],
        "custom_llm_provider": LITELLM_PROVIDERS.get(call["provider"]),
        "prompt_tokens": call["input_tokens_total"] + call["embedding_tokens"],
        "completion_tokens": call["output_tokens_total"],
        "cache_read_input_tokens": call["cache_read_tokens"],
        "cache_creation_input_tokens": call["cache_write_5m_tokens"],
        "call_type": "embedding" if call["embedding_tokens"] else "completion",
    }
