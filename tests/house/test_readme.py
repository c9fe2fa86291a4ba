"""The README gets a newcomer to a number fast, and every command and link in it exists."""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from standalone.cli import command_line

ROOT = Path(__file__).resolve().parents[2]
FIRST_COMMAND_LINE_MAX = 12
FIRST_NUMBER_LINE_MAX = 25
FOLDERS = ("docs", "examples", "helm")
PAGES = [*sorted(ROOT.glob("*.md")), *(page for name in FOLDERS for page in sorted((ROOT / name).rglob("*.md")))]


def code(text: str) -> list[tuple[int, str]]:
    """Lines inside fences, with their line numbers from 1."""
    inside, lines = False, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif inside:
            lines.append((number, line.removeprefix("$ ")))
    return lines


README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = code(README)
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def test_the_first_command_comes_early() -> None:
    number = next(number for number, line in COMMANDS if line.startswith(("make ", "agent-finops ")))
    assert number <= FIRST_COMMAND_LINE_MAX


def test_the_first_dollar_figure_comes_early() -> None:
    number = next(number for number, line in COMMANDS if re.search(r"\b0\.\d{3,}", line))
    assert number <= FIRST_NUMBER_LINE_MAX


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_the_demo_prints_what_the_readme_says() -> None:
    recipe = re.search(r"^demo:.*\n\t@\$\(BIN\)/agent-finops demo \$\(if .*,--once\)$", MAKEFILE, re.MULTILINE)
    assert recipe, "`make demo ONCE=1` is not what this test runs"
    program = Path(sys.executable).with_name("agent-finops")
    with TemporaryDirectory(prefix="agent-finops-readme-") as directory:
        # As root the database runs as another account; where that one may enter, nothing is kept elsewhere.
        Path(directory).chmod(0o711)
        command = [str(program), "demo", "--once", "--data-dir", f"{directory}/data"]
        answer = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=110)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    shown = [line for _, line in COMMANDS if re.search(r"\b0\.\d{3,}|cost USD|Cost by", line)]
    assert len(shown) >= 4
    assert [line for line in shown if line not in answer.stdout.splitlines()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    text = page.read_text("utf-8")
    lines = [line for _, line in code(text)] + re.findall(r"`(make [^`]*)`", text)
    calls = [re.split(r" #| \w+=", line)[0].split() for line in lines if line.startswith("make ")]
    named = {word for call in calls for word in call[1:] if re.fullmatch(r"[a-z][a-z-]*", word)}
    assert named <= targets


def test_every_subcommand_that_is_named_exists() -> None:
    texts = ["\n".join(line for _, line in code(page.read_text("utf-8"))) for page in PAGES]
    texts += [quoted for page in PAGES for quoted in re.findall(r"`(agent-finops [^`]*)`", page.read_text("utf-8"))]
    named = {word for text in texts for word in re.findall(r"agent-finops ([a-z]+)", text)}
    program = Path(sys.executable).with_name("agent-finops")
    answer = subprocess.run([program, "--help"], capture_output=True, text=True, check=True, timeout=30)
    assert named <= set(re.findall(r"[a-z]+", answer.stdout)), answer.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_of_a_command_that_is_named_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = [line.removeprefix(".venv/bin/") for _, line in code(text)] + re.findall(r"`(agent-finops [^`]*)`", text)
    for line in lines:
        if line.startswith("agent-finops "):
            parser = command_line({})
            for word in re.sub(r"[\[\]]", "", line.split(" #")[0]).split()[1:]:
                if word.startswith("--"):
                    assert word in parser._option_string_actions, line
                for action in parser._actions:
                    if isinstance(action, argparse._SubParsersAction) and word in action.choices:
                        parser = action.choices[word]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


def test_ci_runs_what_the_readme_says_and_then_looks_at_what_is_pinned() -> None:
    script = ROOT / ".ci" / "run"
    lines = [line.strip() for line in script.read_text("utf-8").splitlines()]
    steps = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert steps == ["make --no-print-directory test", "exec make --no-print-directory audit sbom"]
    assert any(line.split("#")[0].strip() == "make test" for _, line in COMMANDS)
    assert script.stat().st_mode & 0o111
