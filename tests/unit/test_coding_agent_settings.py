"""Settings for coding agents name keys that the tools document, send where we listen, and keep prompts at home."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from collector.dialects_table import RESOURCE_KEYS

SETTINGS = Path(__file__).resolve().parents[2] / "examples" / "coding-agents"
CLAUDE_CODE: dict[str, str] = json.loads((SETTINGS / "claude-code.settings.json").read_text())["env"]
CODEX: dict[str, Any] = tomllib.loads((SETTINGS / "codex.config.toml").read_text())["otel"]
GEMINI: dict[str, Any] = json.loads((SETTINGS / "gemini-cli.settings.json").read_text())["telemetry"]

# As the tools' own manuals list them, late in 2026.
CLAUDE_CODE_DOCUMENTED = {
    "CLAUDE_CODE_ENABLE_TELEMETRY", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_LOG_USER_PROMPTS",
}  # fmt: skip
CODEX_DOCUMENTED = {"environment", "exporter", "trace_exporter", "log_user_prompt"}
CODEX_EXPORTER_DOCUMENTED = {"endpoint", "headers", "tls"}
GEMINI_DOCUMENTED = {"enabled", "target", "otlpEndpoint", "otlpProtocol", "logPrompts", "outfile", "useCollector"}


def test_every_key_is_one_that_the_tool_documents() -> None:
    assert CLAUDE_CODE.keys() <= CLAUDE_CODE_DOCUMENTED
    assert CODEX.keys() <= CODEX_DOCUMENTED
    assert CODEX["exporter"].keys() == {"otlp-grpc"}
    assert CODEX["exporter"]["otlp-grpc"].keys() <= CODEX_EXPORTER_DOCUMENTED
    assert GEMINI.keys() <= GEMINI_DOCUMENTED


def test_events_are_sent_to_the_receiver_and_prompts_are_not() -> None:
    assert (CLAUDE_CODE["CLAUDE_CODE_ENABLE_TELEMETRY"], CLAUDE_CODE["OTEL_LOGS_EXPORTER"]) == ("1", "otlp")
    places = {
        CLAUDE_CODE["OTEL_EXPORTER_OTLP_ENDPOINT"],
        CODEX["exporter"]["otlp-grpc"]["endpoint"],
        GEMINI["otlpEndpoint"],
    }
    assert places == {"http://127.0.0.1:4317"}
    assert "OTEL_LOG_USER_PROMPTS" not in CLAUDE_CODE
    assert (CODEX["log_user_prompt"], GEMINI["logPrompts"]) == (False, False)


@pytest.mark.parametrize("pair", CLAUDE_CODE["OTEL_RESOURCE_ATTRIBUTES"].split(","))
def test_what_the_resource_says_is_read(pair: str) -> None:
    name = pair.partition("=")[0]
    assert RESOURCE_KEYS[name.removeprefix("finops.")][0] == name
