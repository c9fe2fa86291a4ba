"""The query API as the commands ask it, with what each failure means to a person. Fractions are read as Decimal."""

import json
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any
from urllib.parse import quote

ANSWER_SECONDS = 10.0
_PREFIX = "/api/v1/finops"
_SENTENCES = {
    401: "the API does not know the token (401): `agent-finops token show` prints the one of a data dir",
    403: "the token may not read costs (403): make one with --scope read",
}


class ApiFault(Exception):
    """The API did not answer as hoped; the message says what to do."""


class Api:
    """Somebody with one token."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self._token = token

    def down(self) -> list[str]:
        """What /actuator/health says is down, by name. Raises ApiFault where nothing like it answers."""
        status, body = self._fetch("/actuator/health")
        if not isinstance(body, dict) or "status" not in body:
            raise ApiFault(f"{self.url} is not the query API: it answers {status} to /actuator/health")
        return [name for name, part in body.get("components", {}).items() if part.get("status") == "DOWN"]

    def get(self, path: str) -> Any:
        """The JSON below the contract's prefix. Raises ApiFault."""
        return _parsed(self.text(path).encode())

    def text(self, path: str) -> str:
        """The same as the API wrote it, every digit of it."""
        return self._answered(path).decode()

    def put(self, path: str, body: object) -> Any:
        """Like ``get``, for a change."""
        return _parsed(self._answered(path, json.dumps(body).encode()))

    def session_totals(self, session: str) -> dict[str, Any]:
        """Calls, tokens and cost of one session; empty while the API does not know it."""
        status, body = self._fetch(f"{_PREFIX}/sessions/{quote(session, safe='')}")
        if status == 404:
            return {}
        if status != 200 or not isinstance(body, dict):
            raise ApiFault(_SENTENCES.get(status) or f"the API answers {status} to a session's page")
        found = body.get("totals", body)
        return found if isinstance(found, dict) else {}

    def _answered(self, path: str, change: bytes | None = None) -> bytes:
        status, raw = self._fetch_raw(_PREFIX + path, change)
        if status != 200:
            body = _parsed(raw)
            said = body.get("detail") or body.get("title") if isinstance(body, dict) else None
            raise ApiFault(
                _SENTENCES.get(status) or f"{self.url}{_PREFIX}{path} answers {status}: {said or 'no reason'}"
            )
        return raw

    def _fetch(self, path: str) -> tuple[int, Any]:
        status, raw = self._fetch_raw(path)
        return status, _parsed(raw)

    def _fetch_raw(self, path: str, change: bytes | None = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        method = "GET" if change is None else "PUT"
        try:
            request = urllib.request.Request(self.url + path, data=change, headers=headers, method=method)
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()
        except (OSError, ValueError) as fault:
            why = getattr(fault, "reason", fault)
            raise ApiFault(f"{self.url} does not answer ({why}): is agent-finops up?") from fault


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError:
        return None
