"""The collector's numbers: the table is all there is, and labels stay few."""

import json
import logging
import re

from prometheus_client.parser import text_string_to_metric_families

from collector.log_format import JsonLines, Sparse, where
from collector.metrics import (
    COUNTED_AHEAD,
    FOLDED,
    LABEL_SETS_MAX,
    LOOP_LAG,
    QUEUE_AGE,
    REJECTED,
    REQUESTS,
    TABLE,
    Metrics,
)


def test_every_name_says_stage_and_unit():
    for family in TABLE:
        assert re.fullmatch(r"finops_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.kind != "histogram" or family.name.endswith(f"_{family.unit}")
        assert family.help.endswith(".")
        assert not {"session", "agent", "trace", "tenant", "org"} & set(family.labels)
    assert len({family.name for family in TABLE}) == len(TABLE)


def test_the_page_can_be_parsed_and_shows_what_was_counted():
    metrics = Metrics()
    metrics.count(REQUESTS, "traces", "grpc", "accepted", by=3)
    metrics.observe(LOOP_LAG, 0.02)
    metrics.watch(QUEUE_AGE, lambda: 1.5)
    families = {family.name: family for family in text_string_to_metric_families(metrics.page().decode())}
    assert families[REQUESTS.removesuffix("_total")].samples[0].value == 3
    assert families[QUEUE_AGE].samples[0].value == 1.5
    assert metrics.value(f"{LOOP_LAG}_count") == 1


def test_what_somebody_else_counts_is_read_when_the_page_is_asked_for():
    metrics, counted = Metrics(), [3]
    assert metrics.value(COUNTED_AHEAD) == 0
    metrics.watch(COUNTED_AHEAD, lambda: counted[0])
    counted[0] += 1
    families = {family.name: family for family in text_string_to_metric_families(metrics.page().decode())}
    assert [family.type for name, family in families.items() if name.startswith(COUNTED_AHEAD[:-6])] == ["counter"]
    assert metrics.value(COUNTED_AHEAD) == 4


def test_too_many_label_values_are_folded_and_nothing_is_lost():
    metrics = Metrics()
    for number in range(LABEL_SETS_MAX + 36):
        metrics.count(REJECTED, f"reason{number}")
    metrics.count(REJECTED, "reason0")
    assert metrics.value(REJECTED, reason="other") == 36
    assert metrics.value(REJECTED, reason="reason0") == 2
    assert metrics.value(FOLDED, family=REJECTED) == 36


def test_two_collectors_in_one_process_do_not_share_numbers():
    one, other = Metrics(), Metrics()
    one.count(REJECTED, "bad_usage")
    assert other.value(REJECTED, reason="bad_usage") == 0


def test_a_log_line_is_one_json_object_without_the_text_of_exceptions():
    record = logging.LogRecord("collector.append", logging.ERROR, "f", 1, "failed\nsecret", (), None)
    record.fault = "x" * 9000
    try:
        raise ValueError("canary")
    except ValueError as fault:
        record.exc_info = (type(fault), fault, fault.__traceback__)
        place = where(fault)
    line = json.loads(JsonLines().format(record))
    assert (line["level"], line["stage"], line["message"]) == ("error", "append", "failed")
    assert place.startswith("ValueError at test_collector_metrics.py:")
    assert "canary" not in json.dumps(line)
    assert len(line["fault"]) < 600


def test_a_flood_of_one_kind_is_one_line_a_second_with_the_count_of_the_others():
    now = [0.0]
    sparse = Sparse(lambda: now[0])
    assert sparse.held_back("undecodable") == 0
    assert [sparse.held_back("undecodable") for _ in range(5)] == [None] * 5
    assert sparse.held_back("fault") == 0
    now[0] = 1.0
    assert sparse.held_back("undecodable") == 5
