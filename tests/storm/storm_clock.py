"""Clocks that jump: the collector and the query API see another time than everybody else, and not always the same.

The system's clock is another one for them by Debian's libfaketime; the monotonic clock is left alone, as by a step of
the real one. Calls are dated by their senders, so nothing that is summed may change.
"""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from storm.storm_processes import Collector, QueryApi, Server
from storm.storm_run import Plan, Storm

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
STEPS = ("+3600", "-3600", "+0", "-3600", "+86400", "+0")
"""Seconds by which their clock is ahead, one after the other."""
SLACK = timedelta(seconds=1)
ASKED = ("burn-rates/active", "anomalies/active", "trends", "allocations", "coverage")


class ClockStorm(Storm):
    """A storm in which only clocks go wrong."""

    def __init__(self, postgres: Server, plan: Plan, directory: Path, step_seconds: float) -> None:
        self._said = directory / "clock"
        self._said.write_text("+0")
        super().__init__(postgres, plan, directory)
        self._step_seconds = step_seconds
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
        }

    def rage(self) -> None:
        """Steps, and asks after each."""
        api = QueryApi(self.url, self.directory / "query_api.log", **self._faked())
        try:
            for step in STEPS:
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

    def misdated(self) -> int:
        """Entries that lie outside of the time in which their calls were made."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "select count(*) from entries where event_time not between %s and %s",
                (self._began - SLACK, datetime.now(UTC) + SLACK),
            ).fetchone()
        assert row is not None
        return int(row[0])
