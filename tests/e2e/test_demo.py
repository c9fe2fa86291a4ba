"""`agent-finops demo`: the whole product against a model server that keeps its own bill."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-c", "import sys; from standalone.cli import main; sys.exit(main())", "demo"]
AGENTS = ("research_agent", "support_agent", "digest_agent")
MODELS = ("gpt-4o", "gpt-4o-mini", "o4-mini", "text-embedding-3-small")
MATCHES = "matches the model server's bill to the last digit"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """The same for every demo here: each finds what the one before left, and empties it."""
    with TemporaryDirectory(prefix="agent-finops-demo-") as directory:
        # As root the database runs as another account; where that one may enter, nothing is kept elsewhere.
        Path(directory).chmod(0o711)
        yield Path(directory) / "data"


def demo(data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*DEMO, "--data-dir", str(data_dir), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def test_every_figure_of_a_demo_is_the_model_server_s_bill(data_dir: Path) -> None:
    ended = demo(data_dir, "--once")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert MATCHES in ended.stdout
    for row in (*AGENTS, *MODELS):
        assert re.search(rf"^{row} +\d.* 0\.\d+$", ended.stdout, re.MULTILINE), f"no row for {row}:\n{ended.stdout}"
    assert re.search(r"^reads-everything-\w+ +research_agent .* x its baseline$", ended.stdout, re.MULTILINE)
    assert re.search(r"^saved by the agents' own answer cache +0\.0*[1-9]\d*$", ended.stdout, re.MULTILINE)
    assert "The page:" not in ended.stdout, "it is gone by then"


def test_a_bill_with_one_token_more_is_noticed(data_dir: Path) -> None:
    ended = demo(data_dir, "--once", "--bill-one-token-more")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert MATCHES not in ended.stdout
    found = re.findall(r"^  (\w+)(?: \S+)? (\w+): agent-finops ([\d.]+), billed ([\d.]+)$", ended.stdout, re.MULTILINE)
    more = [(place, int(billed) - int(ours)) for place, figure, ours, billed in found if figure == "inputTokens"]
    assert more == [("agent", 1), ("model", 1), ("total", 1)], ended.stdout
    assert {place for place, figure, _, _ in found if figure == "costUsd"} >= {"agent", "model", "total"}


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="Ctrl-C is ignored in the background")
def test_a_demo_stays_up_until_ctrl_c(data_dir: Path) -> None:
    command = [*DEMO, "--data-dir", str(data_dir)]
    said = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            said.append(line)
            if "until Ctrl-C" in line:
                running.send_signal(signal.SIGINT)
        assert running.wait() == 0, "".join(said)
    assert MATCHES in "".join(said)
    assert re.search(r"^The page: http://127\.0\.0\.1:\d+/#token=\S+$", "".join(said), re.MULTILINE)
    assert "Stopping\n" in said[said.index(next(line for line in said if "until Ctrl-C" in line)) :]


def test_a_directory_that_is_not_a_demo_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("years of work")
    ended = demo(tmp_path, "--once")
    assert ended.returncode == 1
    assert "choose another --data-dir" in ended.stderr
    assert (tmp_path / "precious").read_text() == "years of work"
