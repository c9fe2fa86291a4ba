"""`agent-finops top` and `costs`: tables for a terminal, every digit of the API's JSON for a pipe."""

import json
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COST = "12345678.123456789012"
ROW = f'"calls":2,"inputTokens":1000,"outputTokens":5,"unpricedCalls":1,"costUsd":{COST}'
BURNING = f'"burnRateUsdPerHour":{COST},"baselineUsdPerHour":null,"anomalyRatio":null,"windowSeconds":600,"calls":3'
ANSWERS = {
    "/api/v1/finops/burn-rates/active?limit=20": '[{"sessionId":"s-1","agentId":"clerk",' + BURNING + "}]",
    "/api/v1/finops/costs?groupBy=model&window=today&tz=Asia%2FKolkata&limit=20": '{"items":[{"modelId":"gpt-4o",'
    + ROW
    + '}],"totals":{'
    + ROW
    + "}}",
}


class Scripted(BaseHTTPRequestHandler):
    """The API's answers, written down."""

    def log_request(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == "Bearer t" and self.path in ANSWERS
        body = ANSWERS[self.path] if known else json.dumps({"detail": f"no {self.path}"})
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "standalone", *words]


def piped(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*words), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def on_a_terminal(*words: str) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(command(*words), cwd=ROOT, stdout=theirs, close_fds=True) as process:
        said = b""
        with open(theirs, "wb", buffering=0), open(ours, "rb", buffering=0) as terminal:
            assert process.wait(60) == 0
            said = terminal.read(65_536)
    return said.decode().replace("\r\n", "\n")


def test_to_a_pipe_top_writes_the_json_of_the_api_to_the_last_digit(api: str) -> None:
    answer = piped("top", "--api", api, "--token", "t")
    assert json.loads(answer.stdout, parse_float=Decimal)[0]["burnRateUsdPerHour"] == Decimal(COST)


def test_to_a_terminal_top_writes_a_table(api: str) -> None:
    said = on_a_terminal("top", "--once", "--api", api, "--token", "t")
    assert "Burning now (over the last 10 minutes)" in said
    assert said.splitlines()[-1].split() == ["s-1", "clerk", COST, "unknown", "3"]


def test_costs_asks_for_the_grouping_window_and_zone(api: str) -> None:
    said = on_a_terminal(
        "costs", "--by", "model", "--window", "today", "--tz", "Asia/Kolkata", "--api", api, "--token", "t"
    )
    assert said.splitlines()[-2].split() == ["gpt-4o", "2", "1,000", "5", "1", COST]
    assert said.splitlines()[-1].split()[0] == "all"


def test_a_refusal_is_one_line_that_says_what_to_do(api: str) -> None:
    answer = piped("costs", "--api", api, "--token", "wrong")
    assert (answer.returncode, answer.stdout, len(answer.stderr.splitlines())) == (1, "", 1)
    assert "`agent-finops token show` prints" in answer.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_completion_knows_the_commands(shell: str) -> None:
    said = piped("completion", shell).stdout
    assert all(word in said for word in ("verify", "top", "--data-dir"))
