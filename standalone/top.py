"""`agent-finops top`: the sessions that burn fastest, live in the terminal; `costs`: what was spent, by anything.

Both read the REST API like anybody else. To a terminal they write tables; to a pipe, or with ``--json``, the API's own
JSON, every digit of it.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from standalone.admin_token import read_token, token_file
from standalone.api_client import Api, ApiFault
from standalone.failures import CannotStart
from standalone.processes import API
from standalone.table_text import Ink, ink_of, table

SECONDS_DEFAULT = 2.0
ROWS_DEFAULT = 20
_CLEAR = "\x1b[H\x1b[2J"
GROUPS = {
    "agent": "agentId", "model": "modelId", "org": "orgId", "team": "teamId", "user": "userId", "session": "sessionId",
    "environment": "environment", "provider": "provider", "operation": "operation", "service": "service",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `top`."""
    _add_api(parser, environment)
    parser.add_argument("--once", action="store_true", help="print once and exit")
    parser.add_argument("--seconds", type=float, default=SECONDS_DEFAULT, metavar="N", help="between two looks (2)")


def add_costs_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `costs`."""
    _add_api(parser, environment)
    parser.add_argument("--by", default="agent", choices=sorted(GROUPS), help="what to group by (agent)")
    parser.add_argument("--window", default="7d", help="today, 7d, 30m, lastmonth, or two instants (7d)")
    parser.add_argument("--tz", default="UTC", help="the zone of the days, such as Europe/Berlin (UTC)")


def _add_api(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    address = f"http://{environment.get('FINOPS_API') or API}"
    parser.add_argument("--api", metavar="URL", default=address, help="the query API (FINOPS_API; %(default)s)")
    parser.add_argument("--token", help="a token that may read (default: the data dir's admin token)")
    data_dir = environment.get("FINOPS_DATA_DIR") or ".agent-finops"
    parser.add_argument("--data-dir", metavar="DIR", type=Path, default=data_dir, help="where the admin token is")
    parser.add_argument("--limit", type=int, default=ROWS_DEFAULT, metavar="N", help="rows at most (20)")
    parser.add_argument("--json", action="store_true", help="print the API's JSON, as for a pipe")


def run(arguments: argparse.Namespace) -> int:
    """`top`, until Ctrl-C. Raises CannotStart where the API cannot be asked."""
    api, as_json, ink = _api(arguments), _as_json(arguments), ink_of(sys.stdout, os.environ)
    path = f"/burn-rates/active?{urlencode({'limit': arguments.limit})}"
    while True:
        if as_json:
            print(_asked(api.text, path))
            return 0
        print(("" if arguments.once else _CLEAR) + burning(_asked(api.get, path), ink), flush=True)
        if arguments.once:
            return 0
        time.sleep(max(arguments.seconds, 0.2))


def run_costs(arguments: argparse.Namespace) -> int:
    """`costs`. Raises CannotStart where the API cannot be asked."""
    question = {"groupBy": arguments.by, "window": arguments.window, "tz": arguments.tz, "limit": arguments.limit}
    api, path = _api(arguments), f"/costs?{urlencode(question)}"
    if _as_json(arguments):
        print(_asked(api.text, path))
    else:
        print(spent(_asked(api.get, path), arguments.by, arguments.window, ink_of(sys.stdout, os.environ)))
    return 0


def burning(rows: list[dict[str, Any]], ink: Ink) -> str:
    """The active sessions as a table."""
    if not rows:
        return ink.bold("Burning now: nobody")
    minutes = rows[0]["windowSeconds"] // 60
    body = [
        [_short(row["sessionId"]), row["agentId"], *map(_money, (row["burnRateUsdPerHour"], row["baselineUsdPerHour"])),
         _ratio(row), str(row["calls"])]
        for row in rows
    ]  # fmt: skip
    headings = ["session", "agent", "USD per hour", "baseline", "ratio", "calls"]
    return table(f"Burning now (over the last {minutes} minutes)", headings, body, ink, text_columns=(0, 1))


def spent(answer: dict[str, Any], by: str, window: str, ink: Ink) -> str:
    """Spend by one grouping as a table, with what is in all pages below."""
    named = GROUPS[by]
    body = [[_short(row[named] or "-"), *_figures(row)] for row in answer["items"]]
    body.append(["all", *_figures(answer["totals"])])
    headings = [by, "calls", "input", "output", "without a price", "cost USD"]
    return table(f"Cost by {by}, {window}", headings, body, ink)


def _figures(row: Mapping[str, Any]) -> list[str]:
    counts = (f"{row[name]:,}" for name in ("calls", "inputTokens", "outputTokens", "unpricedCalls"))
    return [*counts, _money(row["costUsd"])]


def _ratio(row: Mapping[str, Any]) -> str:
    ratio = row.get("anomalyRatio")
    return "" if ratio is None else f"{Decimal(ratio):.1f}"


def _money(amount: Decimal | int | None) -> str:
    return "unknown" if amount is None else f"{Decimal(amount):f}"


def _short(text: str) -> str:
    return text if len(text) <= 36 else f"{text[:33]}..."


def _api(arguments: argparse.Namespace) -> Api:
    token = arguments.token or read_token(token_file(arguments.data_dir, os.environ))
    return Api(arguments.api.rstrip("/"), token)


def _asked(ask: Callable[[str], Any], path: str) -> Any:
    try:
        return ask(path)
    except ApiFault as fault:
        raise CannotStart(str(fault)) from fault


def _as_json(arguments: argparse.Namespace) -> bool:
    return bool(arguments.json) or not sys.stdout.isatty()
