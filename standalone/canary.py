"""`agent-finops canary`: one known call a second, and each time the question whether every endpoint tells its cost.

The calls go to the organisation and agent `canary`, in a session and an environment of this run, so that nothing else
adds to their sums. A call that is acknowledged must be in every answer, to the last pico-dollar, within a few seconds.
Exit status: 0 if it always was, 1 if not once.
"""

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from standalone import doctor
from standalone.admin_token import read_token, token_file
from standalone.api_client import Api, ApiFault
from standalone.canary_checks import AGENT, ORG, Rates, Sent, Sums, mismatches
from standalone.doctor_span import MODEL, SDK_MISSING, sdk_is_there, send_span
from standalone.failures import CannotStart

ASK_AGAIN_SECONDS = 0.25


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `canary`; where to send and to ask are the doctor's."""
    doctor.add_arguments(parser, environment)
    parser.add_argument("--seconds", metavar="N", type=float, default=0, help="stop after so long (default: never)")
    parser.add_argument("--every", metavar="N", type=float, default=1, help="seconds between calls (default: 1)")
    parser.add_argument(
        "--within", metavar="N", type=float, default=5, help="seconds until every endpoint must know it (default: 5)"
    )


class Canary:
    """One run."""

    def __init__(self, arguments: argparse.Namespace, api: Api) -> None:
        self._arguments = arguments
        self._api = api
        run = secrets.token_hex(4)
        self._session, self._environment = f"canary-{run}", f"canary-{run}"
        self._rates = _rates(api)
        self._began = time.monotonic()
        self._all = Sums()
        self.sent = self.refused = self.failed = 0

    def sing(self) -> list[str]:
        """One call, and what is not as it must be in the end."""
        tokens = 1000 + self.sent % 97, 100 + self.sent % 89
        known: dict[str, str | int] = {
            "gen_ai.usage.input_tokens": tokens[0],
            "gen_ai.usage.output_tokens": tokens[1],
            "gen_ai.agent.name": AGENT,
            "finops.org": ORG,
            "finops.environment": self._environment,
        }
        sent = send_span(self._arguments.endpoint, self._arguments.ingest_token, self._session, known)
        if sent.refusal is not None:
            # It may have been counted after all, so nothing of this session is known any more.
            self.refused += 1
            self._session = self._environment = f"canary-{secrets.token_hex(4)}"
            self._all, self._began = Sums(), time.monotonic()
            return [f"refused: {sent.refusal}"]
        self.sent += 1
        last = Sums(1, *tokens, self._rates.cost(*tokens))
        self._all = self._all.plus(last)
        passed = time.monotonic() - self._began
        faults = self._checked(
            Sent(self._session, self._environment, sent.trace_id, last, self._all, passed),
        )
        self.failed += bool(faults)
        return faults

    def _checked(self, sent: Sent) -> list[str]:
        due = time.monotonic() + self._arguments.within
        while True:
            try:
                faults = mismatches(sent, self._api.get)
            except (ApiFault, KeyError, TypeError) as fault:
                faults = [f"{type(fault).__name__}: {fault}"]
            if not faults or time.monotonic() > due:
                return faults
            time.sleep(ASK_AGAIN_SECONDS)


def run(arguments: argparse.Namespace) -> int:
    """The exit status. Raises CannotStart."""
    if not sdk_is_there():
        raise CannotStart(SDK_MISSING)
    token = arguments.token or read_token(token_file(arguments.data_dir, os.environ))
    try:
        canary = Canary(arguments, Api(arguments.api.rstrip("/"), token))
    except ApiFault as fault:
        raise CannotStart(str(fault)) from fault
    began = time.monotonic()
    try:
        while True:
            due = time.monotonic() + arguments.every
            _say(arguments, canary, canary.sing())
            if arguments.seconds and time.monotonic() - began >= arguments.seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
    except KeyboardInterrupt:
        pass
    print(_summary(arguments, canary), flush=True)
    return 0 if canary.sent and not canary.failed and not canary.refused else 1


def _rates(api: Api) -> Rates:
    rows: list[dict[str, Any]] = api.get(f"/valuation-rates?modelId={MODEL}&provider=openai")
    row = next((row for row in rows if row["modelId"] == MODEL and row.get("orgId") in (None, "", ORG)), {})
    found = (row.get(name) for name in ("inputRatePerKTokens", "outputRatePerKTokens"))
    return Rates(*(None if rate is None else Decimal(str(rate)) for rate in found))


def _say(arguments: argparse.Namespace, canary: Canary, faults: list[str]) -> None:
    if arguments.json:
        print(json.dumps({"sent": canary.sent, "faults": faults}), flush=True)
    for fault in faults:
        print(f"MISMATCH {fault}", file=sys.stderr, flush=True)


def _summary(arguments: argparse.Namespace, canary: Canary) -> str:
    counts = {"sent": canary.sent, "mismatched": canary.failed, "refused": canary.refused}
    if arguments.json:
        return json.dumps(counts)
    return ", ".join(f"{count} {name}" for name, count in counts.items())
