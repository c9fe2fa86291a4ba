"""Clocks that jump: the collector and the query API see another time than everybody else, and not always the same.

The system's clock is another one for them by Debian's libfaketime; the monotonic clock is left alone, as by a step of
the real one. Calls are dated by their senders, so nothing that is summed may change.
"""

import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import psycopg
from otlp_bytes import export, span
from storm.storm_processes import Collector, QueryApi, Server
from storm.storm_run import Plan, Storm
from storm.storm_senders import EXPORT

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
STEPS = ("+3600", "-3600", "+0", "-3600", "+86400", "+0")
"""Seconds by which their clock is ahead, one after the other."""
CALL = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7, "gen_ai.agent.name": "late",
}  # fmt: skip
SLACK = timedelta(seconds=1)
ASKED = ("burn-rates/active", "anomalies/active", "trends", "allocations", "coverage")


class ClockStorm(Storm):
    """A storm in which only clocks go wrong."""

    def __init__(
        self, postgres: Server, plan: Plan, directory: Path, step_seconds: float, steps: int = len(STEPS)
    ) -> None:
        self._said = directory / "clock"
        self._said.write_text("+0")
        super().__init__(postgres, plan, directory)
        self._step_seconds = step_seconds
        self._steps = STEPS[:steps]
        self.answers: Counter[str] = Counter()
        self.anomalies = 0
        self._began = datetime.now(UTC)

    def _collector(self, number: int) -> Collector:
        collector = super()._collector(number)
        collector.environment.update(self._faked())
        return collector

    def _faked(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._said),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def rage(self) -> None:
        """Steps, and asks after each."""
        api = QueryApi(self.url, self.directory / "query_api.log", **self._faked())
        try:
            for step in self._steps:
                self._said.write_text(step)
                until = time.monotonic() + self._step_seconds
                while time.monotonic() < until:
                    for path in ASKED:
                        answer = api.client.get(f"/{path}")
                        self.answers[f"{path} {answer.status_code}"] += 1
                        self.anomalies += len(answer.json()) if path == "anomalies/active" else 0
                    time.sleep(0.2)
        finally:
            api.stop()

    def new_day(self, evening: datetime) -> tuple[dict[date, int], list[dict[str, Any]], list[dict[str, Any]]]:
        """Calls sent by the clock of the collector, from some seconds before midnight until after it.

        By day; the days that the query API tells; the sessions that it says burn.
        """
        ahead = int((evening - datetime.now(UTC)).total_seconds())
        (collector,) = self.collectors
        sent: Counter[date] = Counter()
        self._said.write_text(f"+{ahead}")
        collector.start()
        self._said.write_text(f"+{int((evening - datetime.now(UTC)).total_seconds())}")
        try:
            with grpc.insecure_channel(collector.address) as channel:
                for number in range(1, 31):
                    ends_ns = time.time_ns() + int(self._said.read_text()) * 10**9
                    ids = {"trace_id": bytes([number]) * 16, "span_id": bytes([number]) * 8}
                    body = export(span(CALL, **ids, start_ns=ends_ns, end_ns=ends_ns))  # type: ignore[arg-type]
                    channel.unary_unary(EXPORT)(body, timeout=30)
                    sent[datetime.fromtimestamp(ends_ns // 10**9, UTC).date()] += 1
                    time.sleep(0.5)  # over midnight
            api = QueryApi(self.url, self.directory / "query_api.log", **self._faked())
            try:
                days, burning = (api.client.get(f"/{path}") for path in ("trends?days=3", "burn-rates/active?limit=99"))
                return dict(sent), days.json(), burning.json()
            finally:
                api.stop()
        finally:
            collector.stop()

    def misdated(self) -> int:
        """Entries that lie outside of the time in which their calls were made."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "select count(*) from entries where event_time not between %s and %s",
                (self._began - SLACK, datetime.now(UTC) + SLACK),
            ).fetchone()
        assert row is not None
        return int(row[0])
