"""`agent-finops doctor`: does a span that goes in come out as a cost? One real span, followed step by step.

The span is a chat call of a well-known model under the organisation and agent `doctor` in a session of its own, sent by
the OpenTelemetry SDK as an agent would send it. Each step says what works, or what is missing and what to do.
"""

import argparse
import json
import os
import socket
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from standalone.admin_token import read_token, token_file
from standalone.api_client import Api, ApiFault
from standalone.doctor_span import MODEL, SDK_MISSING, Sent, sdk_is_there, send_span
from standalone.patience import Patience
from standalone.processes import API, OTLP_GRPC

ARRIVAL_SECONDS = 15.0
"""How long an acknowledged span may take to be seen through the API."""
CONNECT_SECONDS = 5.0
HEALTH_SECONDS = 5.0
"""How long the database or the collector may be down before that is a finding."""
_OURS = frozenset({"db", "collector"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One step's outcome."""

    step: str
    works: bool
    detail: str


class Missing(Exception):
    """A step failed, and those after it make no sense; the message says what to do."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `doctor`."""
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        default=environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        or f"http://{environment.get('FINOPS_OTLP_GRPC') or OTLP_GRPC}",
        help="the OTLP/gRPC endpoint (OTEL_EXPORTER_OTLP_ENDPOINT; default: %(default)s)",
    )
    parser.add_argument(
        "--api",
        metavar="URL",
        default=f"http://{environment.get('FINOPS_API') or API}",
        help="the query API (FINOPS_API; default: %(default)s)",
    )
    parser.add_argument("--token", help="a token that may read (default: the data dir's admin token)")
    parser.add_argument(
        "--ingest-token",
        metavar="TOKEN",
        default=environment.get("FINOPS_INGEST_TOKEN") or None,
        help="a token that may send (FINOPS_INGEST_TOKEN; or set OTEL_EXPORTER_OTLP_HEADERS as an agent would)",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=Path,
        default=environment.get("FINOPS_DATA_DIR") or ".agent-finops",
        help="where the admin token is (FINOPS_DATA_DIR; default: ./.agent-finops)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """The exit status: 0 if every step works."""
    findings: list[Finding] = []

    def found(step: str, works: bool, detail: str) -> None:
        findings.append(Finding(step=step, works=works, detail=detail))
        if not arguments.json:
            print(f"{'ok     ' if works else 'MISSING'} {step}: {detail}", flush=True)

    step = "endpoint"
    try:
        for step, examine in _steps(arguments):
            found(step, True, examine())
    except (Missing, ApiFault) as fault:
        found(step, False, str(fault))
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    return 0 if all(finding.works for finding in findings) else 1


def _steps(arguments: argparse.Namespace) -> list[tuple[str, Callable[[], str]]]:
    """The examination in its order: each step returns what it saw or raises what is missing."""
    token = arguments.token or read_token(token_file(arguments.data_dir, os.environ))
    api = Api(arguments.api.rstrip("/"), token)
    session = f"doctor-{uuid.uuid4()}"
    sent: list[Sent] = []

    def send() -> str:
        if not sdk_is_there():
            raise Missing(SDK_MISSING)
        sent.append(_send(arguments, session))
        return f"one call of {MODEL} was acknowledged, session {session}"

    return [
        ("endpoint", lambda: _endpoint_answers(arguments.endpoint)),
        ("span", send),
        ("api", lambda: _api_answers(api)),
        ("token", lambda: _token_reads(api, token)),
        ("arrival", lambda: _arrived(api, session, sent[0])),
        ("price", lambda: _priced(api, session)),
    ]


def _endpoint_answers(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Missing(f"{endpoint} is not a URL such as http://127.0.0.1:4317")
    port = parts.port or 4317
    try:
        socket.create_connection((parts.hostname, port), CONNECT_SECONDS).close()
    except OSError as fault:
        why = fault.strerror or str(fault)
        raise Missing(f"nothing takes connections at {parts.hostname}:{port} ({why}): is agent-finops up?") from fault
    return f"{parts.hostname}:{port} takes connections"


def _send(arguments: argparse.Namespace, session: str) -> Sent:
    sent = send_span(arguments.endpoint, arguments.ingest_token, session)
    if sent.refusal is None:
        return sent
    if "UNAUTHENTICATED" in sent.refusal or "PERMISSION_DENIED" in sent.refusal:
        raise Missing(
            f"{sent.refusal}: spans are taken with a token; make one with `agent-finops token create NAME` and give it "
            "as --ingest-token"
        )
    raise Missing(f"the span was refused: {sent.refusal}")


def _api_answers(api: Api) -> str:
    patience = Patience("waiting for the API's health", _remark)
    while _OURS.intersection(down := api.down()):
        if patience.waited() > HEALTH_SECONDS:
            raise Missing(f"{api.url} answers, but says that this is down: {', '.join(down)}")
        patience.wait()
    return f"{api.url} answers" + (f", but says that this is down: {', '.join(down)}" if down else " and is healthy")


def _token_reads(api: Api, token: str | None) -> str:
    if token is None:
        raise Missing("there is no admin token in the data dir: give --token or --data-dir")
    api.get("/allocations?days=1")
    return "it may read costs"


def _arrived(api: Api, session: str, sent: Sent) -> str:
    patience = Patience("waiting for the span", _remark)
    while not api.session_totals(session).get("calls"):
        if patience.waited() > ARRIVAL_SECONDS:
            raise Missing(
                f"the span of trace {sent.trace_id} was acknowledged but is not in the API after "
                f"{ARRIVAL_SECONDS:.0f} s: do the endpoint and the API use the same database?"
            )
        patience.wait()
    return f"the API knows the call {patience.waited():.1f} s after it was acknowledged"


def _priced(api: Api, session: str) -> str:
    totals = api.session_totals(session)
    if totals.get("unpricedCalls") or totals.get("costUsd") is None:
        raise Missing(f"{MODEL} has no price here: put one with PUT {api.url}/api/v1/finops/valuation-rates")
    tokens = f"{totals.get('inputTokens')} input and {totals.get('outputTokens')} output tokens"
    return f"{tokens} cost {totals['costUsd']} USD"


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
