"""What gets installed is pinned by hash, says nothing of where it came from, and covers what is imported."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("finops", "ledger", "sql", "doors", "collector", "query_api", "standalone", "grafana")
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
ON_DEMAND = {
    "apprise_channel": {"apprise"},
    "issuer": {"joserfc"},
    "issuer_keys": {"joserfc"},
    "parquet_rows": {"pyarrow"},
}
"""Modules that look whether an extra is there before they use it."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ;]", name, maxsplit=1)[0]).lower()


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    return {
        normal(line): line.split("==")[1].split()[0] for line in text.splitlines() if "==" in line and line[0] != " "
    }


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_line_of_a_lock_is_a_pin_or_a_hash(path: Path) -> None:
    pin = re.compile(r"[a-z0-9][a-z0-9._-]*==[\w.]+( ; [^\\]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    strange = [
        line for line in path.read_text("utf-8").splitlines() if not (pin.fullmatch(line) or digest.fullmatch(line))
    ]
    assert not strange


def test_the_locks_agree_with_each_other() -> None:
    everything = locked("development.txt")
    assert {name: everything.get(name) for name in locked("runtime.txt")} == locked("runtime.txt")


def test_the_locks_hold_what_the_project_asks_for() -> None:
    asked = {normal(line) for line in PROJECT["dependencies"]}
    extras = {normal(line) for lines in PROJECT["optional-dependencies"].values() for line in lines}
    assert asked <= locked("runtime.txt").keys()
    assert extras <= locked("development.txt").keys()


def test_every_library_a_room_imports_is_declared() -> None:
    declared = {normal(line) for line in PROJECT["dependencies"]}
    # The front door may start what only `demo` needs, and asks for it when it does.
    for_demo = declared | {normal(line) for line in PROJECT["optional-dependencies"]["demo"]}
    distributions = packages_distributions()
    missing = []
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        allowed = for_demo if path.is_relative_to(ROOT / "standalone") else declared | ON_DEMAND.get(path.stem, set())
        for module in imported(path) - sys.stdlib_module_names - {*ROOMS, "examples"}:
            owners = {normal(name) for name in distributions.get(module, [])}
            if not owners & (allowed | {"googleapis-common-protos"}):
                missing.append(f"{path.relative_to(ROOT)}: {module}")
    assert not missing, missing


ELSEWHERE = {
    "litellm_budget_hook.py": {"fastapi", "httpx", "litellm"},
    "anthropic_agent.py": {"anthropic"},
    "crewai_agent.py": {"crewai"},
    "fuzz_decoders.py": {"atheris"},
    "langfuse_agent.py": {"langfuse"},
    "langgraph_agent.py": {"langchain", "langchain_openai"},
    "llama_index_agent.py": {"llama_index"},
    "openai_agents_agent.py": {"agents"},
    "pydantic_ai_agent.py": {"pydantic_ai"},
}
"""What runs in an environment of its own or only where somebody installed more, and what that is."""


def test_every_library_a_test_or_an_example_imports_is_locked() -> None:
    pinned = locked("development.txt").keys()
    distributions = packages_distributions()
    at_home = (
        sys.stdlib_module_names
        | {*ROOMS, "examples", "benchmarks"}
        | {path.stem for path in (ROOT / "tests").iterdir()}
    )
    missing = [
        f"{path.relative_to(ROOT)}: {module}"
        for folder in ("tests", "examples")
        for path in (ROOT / folder).rglob("*.py")
        for module in imported(path) - at_home - ELSEWHERE.get(path.name, set())
        if not {normal(name) for name in distributions.get(module, [])} & pinned
    ]
    assert not missing, missing


FLOORS = {
    "grpcio": (1, 65, 4),  # CVE-2023-1428, CVE-2023-33953, CVE-2024-7246
    "starlette": (0, 49, 1),  # CVE-2025-62727
    "protobuf": (6, 33, 5),  # CVE-2025-4565, CVE-2026-0994
    "h11": (0, 16, 0),  # CVE-2025-43859
}
"""The first versions without what is known against older ones; told in SECURITY.md."""


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def test_nothing_with_a_known_weakness_is_asked_for_or_pinned() -> None:
    least = {
        normal(line): version_of(found[1])
        for line in PROJECT["dependencies"]
        if (found := re.search(r">=([\d.]+)", line))
    }
    for name, floor in FLOORS.items():
        for lock in LOCKS:
            assert version_of(locked(lock.name)[name]) >= floor, f"{lock.name}: {name}"
        assert least.get(name, floor) >= floor, f"pyproject.toml: {name}"


def imported(path: Path) -> set[str]:
    """Top-level names of the modules a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names
