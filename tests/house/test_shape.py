"""The shape of the house: sizes, names, module docstrings, and nothing of one machine in a file."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("finops", "ledger", "sql", "doors", "collector", "query_api", "standalone", "examples", "grafana")
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 50
FUNCTION_LINES_P95 = 30
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "types", "models", "mapper"}

MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if not path.name.endswith("_pb2.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body without its docstring and without the functions inside it."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    lines = (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1
    inner = [
        node for part in body for node in ast.walk(part) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return lines - sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in inner)


def functions() -> Iterator[tuple[str, int]]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name_of(path)}:{node.lineno} {node.name}", body_lines(node)


def tracked_text() -> Iterator[tuple[str, str]]:
    """Every text file that git would commit, or every file of the rooms where there is no git."""
    answer = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    names = [name for name in answer.stdout.decode().split("\0") if name]
    if answer.returncode != 0:
        names = [name_of(path) for path in MODULES]
    for name in names:
        path = ROOT / name
        if not path.is_file() or name.startswith("tests/testdata/"):
            continue
        try:
            yield name, path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_with_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), "the first thing in a module is its docstring"


def test_a_file_fits_in_a_sitting() -> None:
    long = {
        name_of(path): lines
        for path in MODULES
        if (lines := len(path.read_text("utf-8").splitlines())) > FILE_LINES_MAX
    }
    assert not long, f"over {FILE_LINES_MAX} lines; would two names say more? {long}"


def test_a_function_fits_in_a_glance() -> None:
    sizes = dict(functions())
    long = {name: lines for name, lines in sizes.items() if lines > FUNCTION_LINES_MAX}
    assert not long, f"over {FUNCTION_LINES_MAX} lines: {long}"
    twentieth = statistics.quantiles(sizes.values(), n=20)[-1]
    assert twentieth <= FUNCTION_LINES_P95, f"one function in twenty is over {twentieth} lines"


def test_names_are_words_of_the_domain() -> None:
    vague = [name_of(path) for path in MODULES if set(path.stem.split("_")) & VAGUE_NAMES]
    assert not vague, vague


def test_test_folders_are_no_packages() -> None:
    # A tests/collector/__init__.py would shadow the real collector, even under importlib mode.
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_no_two_test_modules_share_a_name() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)


def test_no_file_knows_one_machine() -> None:
    machine = re.compile(r"(?<![\w.-])/(work|root|tm[p])/[\w.-]+|/home/(?!app/|user/|nonroot/)[a-z]+/|/Users/[a-z]+/")
    found = [f"{name}: {match[0]}" for name, text in tracked_text() for match in machine.finditer(text)]
    assert not found, found


def test_no_file_names_a_package_index() -> None:
    index = re.compile(
        r"(extra-)?inde[x]-url\s*[= ]\s*http|find-link[s]\s*[= ]|https?://[\w.]*(pypi|pythonhosted|artifactory|nexus)[\w.]*/simple"
        r'|"resolved":\s*"http|registr[y]\s*=\s*"?http'
    )
    found = [f"{name}: {match[0]}" for name, text in tracked_text() for match in index.finditer(text)]
    assert not found, found
