"""Agents of the most used frameworks, by environment variables only: what each spent is what it was billed.

Each runs in an environment of its own that `make examples` fills. `make test` runs a few of them, `make examples` all.
"""

import asyncio
import os
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alert_processes import collector
from model_server_thread import model_server

from examples.bill import PRICE_LIST
from examples.model_server import ModelServer
from finops.access import Scope
from ledger.pool import Connection
from ledger.tokens import register

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS: dict[str, Any] = tomllib.loads((ROOT / "examples/frameworks/frameworks.toml").read_text("utf-8"))
ALWAYS = {"anthropic", "langgraph"}
AGENT_SECONDS_MAX = 120
SNAPSHOTS = {price.snapshot: name for name, price in PRICE_LIST.items()}
"""Some instrumentations name the model that answered, and not the one that was asked."""
TOKEN = "finops_example-0123456789-0123456789-0123456789"
SPENT = """
    select model_id, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost_pico, detail->'flags'
    from entries where calls > 0 order by input_tokens, output_tokens
"""


def launcher(name: str) -> Path:
    """What starts the agent under instrumentation; skips the test where it is not to be run."""
    if name not in ALWAYS and os.environ.get("FINOPS_TEST_EXAMPLES") != "all":
        pytest.skip("only `make examples` runs all agents of frameworks")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found: Path = (
        cache
        / "agent-finops"
        / "frameworks"
        / name
        / "bin"
        / FRAMEWORKS[name].get("launcher", "opentelemetry-instrument")
    )
    if not found.exists():
        pytest.skip(f"the packages of the {name} example are not installed: `make examples`")
    return found


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with model_server("framework") as running:
        yield running


async def run_agent(name: str, command: Path, models: ModelServer, receiver: str, home: Path) -> None:
    places = {"models": models.url, "otlp": receiver, "token": TOKEN}
    own = {key: value.format_map(places) for key, value in FRAMEWORKS[name]["environment"].items()}
    environment = {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "OTEL_SERVICE_NAME": f"{name}_agent",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        **own,
    }
    words = [str(command)] if command.name == "python" else [str(command), str(command.parent / "python")]
    process = await asyncio.create_subprocess_exec(
        *words, str(ROOT / "examples" / "frameworks" / f"{name}_agent.py"), cwd=home, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), AGENT_SECONDS_MAX)
    assert process.returncode == 0, said.decode()[-4000:]


def billed(call: dict[str, Any]) -> tuple[object, ...]:
    """What the entry of a call on the model server's bill has to say."""
    counts = (call[name] for name in ("inputTokens", "cachedInputTokens", "outputTokens", "reasoningTokens"))
    return call["model"], *counts, int(Decimal(call["costUsd"]).scaleb(12))


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.timeout(180)
async def test_a_frameworks_agent_costs_what_it_was_billed(
    name: str, models: ModelServer, database_url: str, tmp_path: Path
) -> None:
    command = launcher(name)
    async with await Connection.connect(database_url, autocommit=True) as connection:
        await register(connection, name="example", secret=TOKEN, scopes=[Scope.INGEST])
    async with collector(database_url, tmp_path) as address:
        await run_agent(name, command, models, f"http://{address}", tmp_path)
    with psycopg.connect(database_url) as ledger:
        spent = ledger.execute(SPENT).fetchall()
    calls: Any = models.bill.as_json()["calls"]
    in_order = sorted(calls, key=lambda call: (call["inputTokens"], call["outputTokens"]))
    assert [(SNAPSHOTS.get(row[0], row[0]), *row[1:6]) for row in spent] == [billed(call) for call in in_order]
    assert len(spent) == FRAMEWORKS[name]["calls"]
    assert [row[-1] for row in spent if row[-1]] == [], "a flag is a doubt"
