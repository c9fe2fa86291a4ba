"""The collector's own numbers: one table says name, kind, labels and help of every family; nothing else names one.

Labels come from closed sets, and where a set is not closed by construction it is folded at a limit: no session, agent,
trace or tenant is ever a label.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

LABEL_SETS_MAX = 64
OTHER = "other"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 3.0, 10.0)
_SIZES = (1.0, 4.0, 16.0, 64.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0)


class Family(NamedTuple):
    """One row of the table. Kinds: counter, histogram, gauge (read from its source when asked)."""

    name: str
    kind: str
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


REQUESTS = "finops_receive_requests_total"
BYTES = "finops_receive_bytes_total"
REFUSED = "finops_receive_refused_total"
DECODED = "finops_decode_spans_total"
DECODE_SECONDS = "finops_decode_seconds"
DECODE_PROCESSES = "finops_decode_processes_total"
REJECTED = "finops_decode_rejected_spans_total"
LATE = "finops_receive_late_exports_total"
LATE_HELD = "finops_receive_late_exports"
ANSWER_SECONDS = "finops_receive_answer_seconds"
APPEND_SECONDS = "finops_append_seconds"
APPEND_FAILURES = "finops_append_failures_total"
APPENDED = "finops_append_spans_total"
CONFLICTS = "finops_append_conflicts_total"
COUNTED_AHEAD = "finops_append_counted_ahead_total"
COUNTED_IN_VAIN = "finops_append_counted_in_vain_total"
GROUP_SPANS = "finops_append_group_spans"
GROUP_REQUESTS = "finops_append_group_requests"
QUEUE_BYTES = "finops_queue_bytes"
QUEUE_SPANS = "finops_queue_spans"
QUEUE_REQUESTS = "finops_queue_requests"
QUEUE_AGE = "finops_queue_age_seconds"
SPOOL_BYTES = "finops_spool_bytes"
SPOOL_EXPORTS = "finops_spool_exports"
SPOOL_AGE = "finops_spool_age_seconds"
SPOOL_SPANS = "finops_spool_spans_total"
LOOP_LAG = "finops_loop_lag_seconds"
GIVE_BACK_SECONDS = "finops_heap_give_back_seconds"
READY = "finops_ready"
OIDC_KEYS = "finops_oidc_keys"
OIDC_KEYS_AGE = "finops_oidc_keys_age_seconds"
OIDC_FETCHES = "finops_oidc_key_fetches_total"
OIDC_TOKENS = "finops_oidc_tokens_total"
FOLDED = "finops_metrics_folded_labels_total"

TABLE = (
    Family(REQUESTS, "counter", "requests", "Exports answered.", ("signal", "transport", "outcome")),
    Family(BYTES, "counter", "bytes", "Export bodies read, after decompression.", ("signal", "transport")),
    Family(REFUSED, "counter", "requests", "Exports turned away for lack of room.", ("reason",)),
    Family(ANSWER_SECONDS, "histogram", "seconds", "From the whole body to the answer.", ("signal",), _SECONDS),
    Family(LATE, "counter", "requests", "Exports answered before they were durable, by what came of it.", ("outcome",)),
    Family(LATE_HELD, "gauge", "requests", "Of those, the ones remembered in case they come back."),
    Family(DECODED, "counter", "spans", "Spans seen by decode.", ("outcome",)),
    Family(DECODE_SECONDS, "histogram", "seconds", "Decoding and normalizing one export.", (), _SECONDS),
    Family(DECODE_PROCESSES, "counter", "processes", "Decoding processes started; more than one: some were lost."),
    Family(REJECTED, "counter", "spans", "Spans that cannot be believed.", ("reason",)),
    Family(APPEND_SECONDS, "histogram", "seconds", "One group, until it is durable or has failed.", (), _SECONDS),
    Family(APPEND_FAILURES, "counter", "groups", "Groups that could not be appended.", ("kind",)),
    Family(APPENDED, "counter", "spans", "Spans by what the ledger made of them.", ("outcome",)),
    Family(CONFLICTS, "counter", "spans", "Spans seen again with other content.", ()),
    Family(COUNTED_AHEAD, "counter", "groups", "Groups counted while another was written."),
    Family(COUNTED_IN_VAIN, "counter", "groups", "Of those, the ones that had to be counted again."),
    Family(GROUP_SPANS, "histogram", "spans", "Spans in one group.", (), _SIZES),
    Family(GROUP_REQUESTS, "histogram", "requests", "Exports in one group.", (), _SIZES),
    Family(QUEUE_BYTES, "gauge", "bytes", "Bodies of exports not yet committed."),
    Family(QUEUE_SPANS, "gauge", "spans", "Spans decoded and not yet committed."),
    Family(QUEUE_REQUESTS, "gauge", "requests", "Exports not yet committed."),
    Family(QUEUE_AGE, "gauge", "seconds", "Age of the oldest export not yet committed."),
    Family(SPOOL_BYTES, "gauge", "bytes", "Waiting in the spool on the local disk."),
    Family(SPOOL_EXPORTS, "gauge", "groups", "Groups of exports waiting in the spool."),
    Family(SPOOL_AGE, "gauge", "seconds", "Since the oldest export in the spool arrived."),
    Family(SPOOL_SPANS, "counter", "spans", "Spans that went to the spool, by what became of them.", ("outcome",)),
    Family(LOOP_LAG, "histogram", "seconds", "How late the event loop wakes.", (), _SECONDS),
    Family(
        GIVE_BACK_SECONDS,
        "histogram",
        "seconds",
        "Giving freed memory back to the system, beside the loop.",
        (),
        _SECONDS,
    ),
    Family(READY, "gauge", "1", "1 while exports are welcome."),
    Family(OIDC_KEYS, "gauge", "keys", "Keys of the issuer that are known."),
    Family(OIDC_KEYS_AGE, "gauge", "seconds", "Since they were fetched."),
    Family(OIDC_FETCHES, "counter", "fetches", "Tries to fetch the issuer's keys.", ("outcome",)),
    Family(OIDC_TOKENS, "counter", "tokens", "JWTs that were checked.", ("outcome",)),
    Family(FOLDED, "counter", "1", "Counted under 'other': too many label values.", ("family",)),
)


class _Watched(Collector):
    """Gauges and what others count: read from their sources at the moment of asking, so they cannot be forgotten."""

    def __init__(self) -> None:
        self.sources: dict[str, Callable[[], float]] = {}

    def collect(self) -> Iterable[Metric]:
        for family in TABLE:
            source = self.sources.get(family.name)
            if source is not None:
                told = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
                yield told(family.name, family.help, value=source())


class Metrics:
    """The table in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._label_sets: dict[str, set[tuple[str, ...]]] = {}
        self._watched = _Watched()
        for family in TABLE:
            if family.kind == "counter":
                self._counters[family.name] = Counter(family.name, family.help, family.labels, registry=self.registry)
            elif family.kind == "histogram":
                self._histograms[family.name] = Histogram(
                    family.name, family.help, family.labels, registry=self.registry, buckets=family.buckets
                )
        self.registry.register(self._watched)

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add ``by`` to a counter."""
        if by:
            counter = self._counters[name]
            (counter.labels(*self._folded(name, labels)) if labels else counter).inc(by)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Note one value in a histogram."""
        histogram = self._histograms[name]
        (histogram.labels(*self._folded(name, labels)) if labels else histogram).observe(value)

    def watch(self, name: str, source: Callable[[], float]) -> None:
        """Read ``name``, a gauge or what somebody else counts, from ``source`` whenever the page is asked for."""
        if name in self._counters:
            self.registry.unregister(self._counters.pop(name))
        self._watched.sources[name] = source

    def value(self, name: str, **labels: str) -> float:
        """The sample now, 0 where there is none yet. For health pages and tests."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def page(self) -> bytes:
        """The text of GET /metrics."""
        return generate_latest(self.registry)

    def _folded(self, name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
        known = self._label_sets.setdefault(name, set())
        if labels in known:
            return labels
        if len(known) < LABEL_SETS_MAX:
            known.add(labels)
            return labels
        self._counters[FOLDED].labels(name).inc()
        return (OTHER,) * len(labels)
