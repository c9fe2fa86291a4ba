"""The Prometheus rules, judged by promtool, over metrics that are really served."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "helm" / "agent-finops" / "files" / "alert-rules.yaml"
TESTS = ROOT / "tests" / "testdata" / "alert_rules" / "tests.yaml"
OF_PROMETHEUS = {"up"}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)


def promtool(*arguments: str) -> None:
    answer = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@needs_promtool
def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", str(RULES))


@needs_promtool
def test_every_rule_says_what_it_should_when_it_should(tmp_path: Path) -> None:
    at = tmp_path / "tests.yaml"
    at.write_text(TESTS.read_text("utf-8").replace("RULES", str(RULES)))
    promtool("test", "rules", str(at))


def rules() -> dict[str, str]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def test_every_rule_is_tried() -> None:
    tests = yaml.safe_load(TESTS.read_text("utf-8"))["tests"]
    tried = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert tried == set(rules())


def test_every_metric_of_a_rule_is_one_of_ours() -> None:
    shown = set(re.findall(r"`(finops_\w+|agent_\w+)`", (ROOT / "docs" / "metrics.md").read_text("utf-8")))
    used = {name for expression in rules().values() for name in re.findall(r"\b(finops_\w+|up)\b", expression)}
    assert used - OF_PROMETHEUS <= shown
