"""The pages for those who come from elsewhere: what they tell to set and to run is run as it stands, and counted."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alert_processes import started
from model_server_thread import model_server

from examples.model_server import ModelServer

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 90
SPENT = """
    select agent_id, session_id, user_id, model_id, input_tokens, output_tokens, cost_pico from entries where calls > 0
"""
PATIENT = {"OTEL_EXPORTER_OTLP_TIMEOUT": "60", "LANGFUSE_TIMEOUT": "60"}
"""A busy machine may take longer than an exporter waits by itself; seconds."""
SESSIONS = {"langfuse", "phoenix", "mlflow"}
"""Those whose page names a session and a user."""


def client(name: str) -> Path:
    """Where the client library and its interpreter are; skips the test where there are none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "agent-finops" / "clients" / name / "bin"
    if not (folder / "python").exists():
        pytest.skip(f"the client library of {name} is not installed: `make client-tools`")
    return folder


def told(name: str) -> tuple[dict[str, str], str]:
    """The variables of the page's first list of commands, and its program."""
    page = (ROOT / "docs" / f"coming-from-{name}.md").read_text("utf-8")
    commands, program = re.findall(r"^```(?:python)?\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)[:2]
    assert commands.endswith("python my_agent.py\n")
    exports = [line.removeprefix("export ") for line in commands.splitlines() if line.startswith("export ")]
    return dict(word.split("=", 1) for line in exports for word in line.split()), program


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with model_server("elsewhere") as running:
        yield running


async def run_agent(folder: Path, program: str, environment: dict[str, str], directory: Path) -> str:
    (directory / "my_agent.py").write_text(program, "utf-8")
    process = await asyncio.create_subprocess_exec(
        folder / "python", "my_agent.py", cwd=directory, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), SECONDS_MAX)
    assert process.returncode == 0, said.decode()
    return said.decode()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["langfuse", "litellm", "mlflow", "openlit", "phoenix"])
async def test_an_agent_that_comes_from_elsewhere_costs_what_it_was_billed(
    name: str, models: ModelServer, database_url: str, tmp_path: Path
) -> None:
    folder = client(name)
    variables, program = told(name)
    ports = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")
    settings = {"FINOPS_DATABASE_URL": database_url, "FINOPS_ALLOW_FSYNC_OFF": "1", **ports}
    settings["FINOPS_ALLOW_SUPERUSER"] = "1"
    async with started([sys.executable, "-m", "collector"], settings, tmp_path / "log") as (_, words):
        at = dict(word.split("=", 1) for word in words if "=" in word)
        here = {"4317": at["grpc"].rpartition(":")[2], "4318": at["http"].rpartition(":")[2]}
        variables = {key: re.sub("4317|4318", lambda found: here[found[0]], text) for key, text in variables.items()}
        offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "true", **PATIENT}
        model = {"OPENAI_BASE_URL": f"{models.url}/v1", "OPENAI_API_KEY": "me"}
        kept = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}
        said = await run_agent(folder, program, {**kept, **offline, **model, **variables}, tmp_path)
    calls: Any = models.bill.as_json()["calls"]
    assert len(calls) == 1
    call = calls[0]
    with psycopg.connect(database_url) as connection:
        spent = connection.execute(SPENT).fetchall()
    cost_pico = int(Decimal(call["costUsd"]).scaleb(12))
    usage = call["inputTokens"], call["outputTokens"]
    assert [row[4:] for row in spent] == [(*usage, cost_pico)], said
    assert spent[0][0] == "my-agent"
    assert spent[0][3].startswith(call["model"])
    if name in SESSIONS:
        assert spent[0][1:3] == ("tuesday", "ada")
