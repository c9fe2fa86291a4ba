"""A steady load for as long as it is told: memory, descriptors and answers stay as they are, and the sums are right.

    PYTHONPATH=.:tests python tests/storm/storm_soak.py [--minutes 60] [--spans-per-second 500] [--seed N]

Fresh traces and sessions all the time, over the embedded PostgreSQL with fsync, with a query API that judges and is
asked. Prints one line a minute: memory of the collector, of the query API and of the server (what its processes have
to themselves), descriptors of the collector. At the end everything that a storm checks, and medians of the first and
the last quarter. Exits with 1 where anything is wrong or memory grows.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from storm.storm_processes import QueryApi, Server, open_files, resident_mib, server
from storm.storm_run import Outcome, Plan, Storm

WARM_MINUTES = 5
"""Until every memory of a bounded size is full."""
GROWTH_MIB_A_MINUTE_MAX = 1.0
ASKED = ("burn-rates/active", "anomalies/active", "trends", "allocations", "allocations/by-model", "coverage")


class Sample(NamedTuple):
    """At the end of a minute."""

    collector_mib: float
    query_api_mib: float
    server_mib: float
    files: int


class Soak(Storm):
    """A storm without faults."""

    def __init__(self, postgres: Server, plan: Plan, directory: Path, minutes: float, seed: int | None = None) -> None:
        super().__init__(postgres, plan, directory, seed)
        self._server = postgres
        self._minutes = minutes
        self.samples: list[Sample] = []
        self.answers: Counter[tuple[str, int]] = Counter()
        """Of the query API, by path and status."""

    def rage(self) -> None:
        """Watches for ``minutes``, and asks."""
        api = QueryApi(self.url, self.directory / "query_api.log")
        try:
            began = time.monotonic()
            end = began + 60 * self._minutes
            while (now := time.monotonic()) < end:
                for path in ASKED:
                    self.answers[path, api.client.get(f"/{path}").status_code] += 1
                if now >= began + 60 * (len(self.samples) + 1):
                    self._sample(api)
                time.sleep(2)
            self._sample(api)
        finally:
            api.stop()

    def _sample(self, api: QueryApi) -> None:
        (collector,) = self.collectors
        sample = Sample(
            resident_mib(collector.pid), resident_mib(api.pid), self._server.resident_mib(), open_files(collector.pid)
        )
        self.samples.append(sample)
        print(
            f"minute {len(self.samples):3}: collector {sample.collector_mib:.1f} query_api {sample.query_api_mib:.1f} "
            f"server {sample.server_mib:.1f} MiB, {sample.files} descriptors",
            flush=True,
        )


def growth(values: list[float]) -> float:
    """Of a straight line through the values, a step; 0 for fewer than two."""
    if len(values) < 2:
        return 0.0
    return statistics.linear_regression(range(len(values)), values).slope


def told(samples: list[Sample], outcome: Outcome) -> tuple[list[str], list[str]]:
    """Lines for people, and what is wrong."""
    warm = samples[WARM_MINUTES:] if len(samples) > 2 * WARM_MINUTES else samples
    quarter = max(1, len(warm) // 4)
    lines, wrong = [], outcome.faults()
    for name in ("collector_mib", "query_api_mib", "server_mib", "files"):
        values = [float(getattr(sample, name)) for sample in warm]
        first, last = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
        slope = growth(values)
        lines.append(
            f"{name}: median of the first quarter {first:.1f}, of the last {last:.1f}, a minute {slope:+.2f}, "
            f"peak {max(values):.1f}"
        )
        if len(warm) > WARM_MINUTES and slope > GROWTH_MIB_A_MINUTE_MAX:
            wrong.append(f"{name} grows by {slope:.2f} a minute")
    minutes = outcome.milliseconds[: len(samples)]
    quarter = max(1, len(minutes) // 4)
    for at, share in enumerate(("p50", "p99")):
        values = [minute[at] for minute in minutes]
        lines.append(
            f"answers {share}: median of the first quarter {statistics.median(values[:quarter]):.0f} ms, "
            f"of the last {statistics.median(values[-quarter:]):.0f} ms"
        )
    return lines, wrong


def soak(postgres: Server, directory: Path, minutes: float, rate: float, seed: int | None = None) -> list[str]:
    """What is wrong; prints the rest."""
    plan = Plan(senders=16, spans_per_second=rate)
    storm = Soak(postgres, plan, directory, minutes, seed)
    outcome = storm.run()
    lines, wrong = told(storm.samples, outcome)
    least = 0.9 * rate * 60 * minutes
    if outcome.counts["spans"] < least:
        wrong.append(f"too little: {outcome.counts['spans']} spans of {least:.0f}")
    refused = {f"{path} {status}": count for (path, status), count in storm.answers.items() if status != 200}
    print(
        "\n".join(lines), f"queries answered {sum(storm.answers.values())}, of them not with 200: {refused}", sep="\n"
    )
    return wrong


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Does memory stay flat?")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--spans-per-second", type=float, default=500)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    with server() as postgres, tempfile.TemporaryDirectory() as directory:
        wrong = soak(postgres, Path(directory), asked.minutes, asked.spans_per_second, asked.seed)
    print("\n".join(wrong) or "everything holds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
