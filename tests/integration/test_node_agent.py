"""A Node agent under auto-instrumentation, by environment variables only: what it spent is what it was billed."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alert_processes import collector
from model_server_thread import model_server

from examples.model_server import ModelServer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "node"
AGENT_SECONDS_MAX = 60
OF_VERCEL = """
    select agent_id, session_id, model_id, input_tokens, cached_input_tokens, output_tokens, cost_pico
    from entries where calls > 0 order by input_tokens
"""
SPENT = """
    select agent_id, operation, model_id, input_tokens, output_tokens, cost_pico, detail->'flags' ? 'partialUsage'
    from entries order by input_tokens
"""


def packages() -> Path:
    """Where the agent's packages are; skips the test where there are none."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    modules = cache / "agent-finops" / "node-agent" / "node_modules"
    if not (modules / "@opentelemetry" / "auto-instrumentations-node").is_dir():
        pytest.skip("the Node agent's packages are not installed: `make node-agent`")
    return modules


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with model_server("node") as running:
        yield running


async def run_agent(modules: Path, models: ModelServer, receiver: str, program: Path, instrumentation: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(modules),
        "OPENAI_BASE_URL": f"{models.url}/v1",
        "OPENAI_API_KEY": "node_agent",
        "OTEL_SERVICE_NAME": "node_agent",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_NODE_ENABLED_INSTRUMENTATIONS": instrumentation,
        "OTEL_NODE_RESOURCE_DETECTORS": "env",
    }
    register = "@opentelemetry/auto-instrumentations-node/register"
    process = await asyncio.create_subprocess_exec(
        "node", "--require", register, str(program),
        cwd=program.parent, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), AGENT_SECONDS_MAX)
    assert process.returncode == 0, said.decode()


def billed(call: dict[str, Any]) -> tuple[object, ...]:
    """What the entry of a call on the model server's bill has to say."""
    assert call["cachedInputTokens"] == 0, "this instrumentation cannot tell what was cached"
    cost_pico = int(Decimal(call["costUsd"]).scaleb(12))
    return "node_agent", call["operation"], call["model"], call["inputTokens"], call["outputTokens"], cost_pico, True


async def test_a_node_agent_costs_what_it_was_billed(models: ModelServer, database_url: str, tmp_path: Path) -> None:
    modules = packages()
    async with collector(database_url, tmp_path) as address:
        await run_agent(modules, models, f"http://{address}", EXAMPLES / "agent.js", "openai")
    with psycopg.connect(database_url) as connection:
        spent = connection.execute(SPENT).fetchall()
    calls: Any = models.bill.as_json()["calls"]
    assert len(calls) == 4
    assert spent == [billed(call) for call in sorted(calls, key=lambda call: call["inputTokens"])]


async def test_an_agent_of_the_vercel_ai_sdk_costs_what_it_was_billed_in_its_session(
    models: ModelServer, database_url: str, tmp_path: Path
) -> None:
    modules = packages()
    if not (modules / "@ai-sdk" / "otel").is_dir():
        pytest.skip("the Vercel AI SDK is not installed: `make node-agent`")
    # An ES module finds its packages by where it lies.
    (tmp_path / "node_modules").symlink_to(modules, target_is_directory=True)
    program = Path(shutil.copy(EXAMPLES / "vercel.mjs", tmp_path))
    async with collector(database_url, tmp_path) as address:
        await run_agent(modules, models, f"http://{address}", program, "undici")
    with psycopg.connect(database_url) as connection:
        spent = connection.execute(OF_VERCEL).fetchall()
    calls: Any = models.bill.as_json()["calls"]
    told = ("model", "inputTokens", "cachedInputTokens", "outputTokens")
    owner = ("headline_agent", "headlines-1")
    assert spent == [
        (*owner, *(call[name] for name in told), int(Decimal(call["costUsd"]).scaleb(12)))
        for call in sorted(calls, key=lambda call: call["inputTokens"])
    ]
    assert len(spent) == 2
