"""Decode, normalize, count and price on one core, on the mix of recordings of real instrumentation libraries.

    python -m benchmarks.counting [--spans 100000] [--profile] [--compiled]

Every repetition of a recording gets fresh trace ids and answer ids, of the same length, in its bytes. The time is that
of the four stages alone; making the exports is not timed. Prints spans/s (median of the runs), the growth of memory,
and the curve of one trace that grows to 100,000 spans. ``--compiled`` takes the modules that `make compiled` made.
"""

import argparse
import cProfile
import gc
import pstats
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPILED = "--compiled"
sys.path[:0] = [*([str(ROOT / "build" / "compiled")] if COMPILED in sys.argv else []), str(ROOT), str(ROOT / "tests")]

import psutil
from corpus_loader import Scenario, scenarios
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decode import decode_traces
from finops.call_scopes import CallScopes
from finops.counting import CallCounter, Search
from finops.entries import entry_of
from finops.event_time import event_time_ns
from finops.price_book import PriceBook
from finops.pricing import price
from finops.spans import SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.catalogue import bundled_catalogue

NOW_NS = 1_800_000_000 * 10**9
HOUR_NS = 3600 * 10**9
REMEMBERED = 50_000
GROUP_SPANS = 512
"""Exports are decoded one by one and counted in groups, as group commit does under load."""
_MADE_UP_ID = rb"(chatcmpl-|resp_|msg_|emb-|gen-|cmpl-|req_|run-+)[0-9A-Za-z]{12}"


class Stages:
    """The pipeline without doors and database."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book
        self.counter = CallCounter()
        self.scopes = CallScopes()
        self.entries = 0
        self.group: list[SpanRecord] = []

    def take(self, export: tuple[str, bytes]) -> int:
        tenant, body = export
        records = decode_traces(body, tenant, NOW_NS).records
        self.group += records
        if len(self.group) >= GROUP_SPANS:
            self.finish()
        return len(records)

    def finish(self) -> None:
        """Counts what is still waiting for a group."""
        self.count(self.group)
        self.group = []

    def count(self, records: list[SpanRecord]) -> None:
        counter = self.counter
        for record in records:
            key = (record.tenant, record.trace_id)
            if not counter.holds(key):
                counter.restore(key, ())
        counter.accept([(r, event_time_ns(r.start_ns, r.end_ns, NOW_NS)) for r in records])
        self.scopes.learn(records)
        counter.search(Search.nothing(), self.scopes)
        for decision in counter.decide():
            if decision.posting is not None:
                entry_of(decision.posting, 1, lambda call: price(call, self.book))
                self.entries += 1
        if len(counter) > REMEMBERED:
            for key in counter.held():
                counter.forget(key)
                if len(counter) < REMEMBERED // 2:
                    break


def exports(spans: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """The recordings over and over until they hold ``spans`` spans: (tenant, body).

    Each repetition has fresh ids and its own hour; every library is a tenant, as nobody runs all of them in one place.
    """
    chance = random.Random(seed)
    recordings = [(scenario, _ids_of(scenario)) for scenario in scenarios()]
    made = repetition = 0
    while made < spans:
        repetition += 1
        for scenario, ids in recordings:
            stamp = b"%08x" % chance.getrandbits(32)
            renamed: dict[bytes, bytes] = {}
            for body in scenario.traces:
                request = ExportTraceServiceRequest.FromString(body)
                for span in (s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans):
                    made += 1
                    span.trace_id = renamed.setdefault(span.trace_id, chance.randbytes(16))
                    span.start_time_unix_nano += repetition * HOUR_NS
                    span.end_time_unix_nano += repetition * HOUR_NS
                fresh = request.SerializeToString()
                yield scenario.library, _restamped(fresh, stamp, ids)


def _ids_of(scenario: Scenario) -> re.Pattern[bytes]:
    """Finds the ids of the answers in a recording: those the model server gave, and those that libraries make up."""
    given = {call["response_id"].encode() for call in scenario.truth["billed_calls"] if call["response_id"]}
    return re.compile(b"|".join([*(re.escape(one) for one in sorted(given) if len(one) >= 16), _MADE_UP_ID]))


def _restamped(body: bytes, stamp: bytes, ids: re.Pattern[bytes]) -> bytes:
    """The bytes with eight characters of every answer id replaced."""

    def renamed(match: re.Match[bytes]) -> bytes:
        kept = match[1] if match[1] else match[0][:-8]
        return kept + stamp + match[0][len(kept) + 8 :]

    return ids.sub(renamed, body)


def run(spans: int, seed: int, book: PriceBook) -> tuple[int, float]:
    """Spans taken and seconds used."""
    stages = Stages(book)
    bodies = list(exports(spans, seed))
    gc.collect()
    began = time.process_time()
    taken = sum(stages.take(export) for export in bodies)
    stages.finish()
    return taken, time.process_time() - began


def resident_mib() -> int:
    """Resident memory of this process now, MiB."""
    return psutil.Process().memory_info().rss // 2**20


def memory(spans: int, book: PriceBook) -> None:
    """Takes exports one at a time and prints the memory held on the way."""
    stages, taken, step = Stages(book), 0, max(spans // 5, 1)
    marks = iter(range(step, spans + step, step))
    mark = next(marks)
    for seed in range(1_000_000):
        for export in exports(20_000, seed):
            taken += stages.take(export)
            if taken >= mark:
                print(f"  {taken:>9,} spans: {resident_mib()} MiB, {len(stages.counter):,} remembered")
                mark = next(marks, sys.maxsize)
        if taken >= spans:
            return


def one_trace(book: PriceBook) -> None:
    """The cost a span of one trace that grows, by its shape."""
    print("one trace, microseconds a span (512 spans an export):")
    print(f"  {'spans':>8} {'star':>8} {'chain up':>9} {'shuffled':>9}")
    for count in (1_000, 10_000, 100_000):
        cells = []
        for shape in ("star", "chain", "shuffled"):
            records = list(_tree(count, shape))
            stages = Stages(book)
            began = time.process_time()
            for at in range(0, count, 512):
                stages.count(records[at : at + 512])
            cells.append((time.process_time() - began) / count * 1e6)
        print(f"  {count:>8,} {cells[0]:>8.1f} {cells[1]:>9.1f} {cells[2]:>9.1f}")


def _tree(count: int, shape: str) -> list[SpanRecord]:
    records = []
    for number in range(1, count + 1):
        parent = count + 1 if shape == "star" else number + 1
        is_call = shape == "star" or number % 10 == 0
        usage = TokenUsage(input_tokens=1000 + number % 977, output_tokens=10) if is_call else None
        kind = SpanClass.CALL if is_call else SpanClass.TOOL if number % 10 == 1 else SpanClass.PLAIN
        ids = ((1).to_bytes(16), number.to_bytes(8), parent.to_bytes(8))
        records.append(
            SpanRecord("", *ids, kind, NOW_NS - 10**9, NOW_NS, scope="x", request_model="gpt-4o", usage=usage)
        )
    if shape == "shuffled":
        random.Random(count).shuffle(records)
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--spans", type=int, default=60_000)
    parser.add_argument("--memory-spans", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument(COMPILED, action="store_true")
    arguments = parser.parse_args()
    gc.set_threshold(100_000, 50, 100)
    book = PriceBook(bundled_catalogue(), epoch=0)
    print("memory:")  # first, before the exports of the timed runs take any
    memory(arguments.memory_spans, book)
    run(5_000, 0, book)
    rates = []
    for seed in range(1, arguments.runs + 1):
        taken, seconds = run(arguments.spans, seed, book)
        rates.append(taken / seconds)
        print(f"decode + normalize + count + price: {taken:,} spans in {seconds:.2f} s, {rates[-1]:,.0f} spans/s")
    print(f"median {statistics.median(rates):,.0f} spans/s on one core, seeds 1 to {arguments.runs}")
    one_trace(book)
    if arguments.profile:
        profile = cProfile.Profile()
        profile.enable()
        run(20_000, 99, book)
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(10)


if __name__ == "__main__":
    main()
