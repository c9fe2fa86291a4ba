"""Keys that name troubles, matchers that fit, and silences."""

from datetime import timedelta

import pytest
from alert_world import NOW, runaway
from hypothesis import given
from hypothesis import strategies as st

from finops.alerts import KEY_CHARACTERS_MAX, Severity, Silence, alert_key, fits, silenced_until

HOUR = timedelta(hours=1)
PARTS = st.lists(st.text(max_size=400), max_size=3)


@given(PARTS, PARTS)
def test_different_troubles_have_different_keys_that_every_receiver_keeps(one: list[str], other: list[str]) -> None:
    first, second = alert_key("anomaly", *one), alert_key("anomaly", *other)
    assert (first == second) == (one == other)
    assert len(first) <= KEY_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("matchers", "fit"),
    [
        ({}, True),
        ({"severity": ["warning"]}, True),
        ({"severity": ["critical"]}, False),
        ({"orgId": ["acme"], "sessionId": ["s1", "s2"]}, True),
        ({"orgId": ["acme"], "sessionId": []}, False),
    ],
)
def test_every_matcher_has_to_name_one_of_the_values(matchers: dict[str, list[str]], fit: bool) -> None:
    assert fits(matchers, runaway()) is fit


def test_a_label_cannot_pose_as_another_organisation() -> None:
    assert runaway(labels={"orgId": "evil"}).all_labels()["orgId"] == "acme"


def test_an_alert_is_silent_until_the_last_silence_over_it_ends() -> None:
    silences = [
        Silence("", {}, NOW, NOW + HOUR),
        Silence("acme", {"agentId": ["clerk"]}, NOW, NOW + 2 * HOUR),
        Silence("other", {}, NOW, NOW + 9 * HOUR),
        Silence("", {"agentId": ["x"]}, NOW, NOW + 9 * HOUR),
        Silence("", {}, NOW + 3 * HOUR, NOW + 9 * HOUR),
    ]
    assert silenced_until(silences, runaway(), NOW) == NOW + 2 * HOUR
    assert silenced_until(silences, runaway(), NOW + 2 * HOUR) is None
    assert silenced_until(silences, runaway(), NOW + 3 * HOUR) == NOW + 9 * HOUR


def test_severities_are_ordered() -> None:
    assert sorted(Severity, key=lambda one: one.rank) == [Severity.INFO, Severity.WARNING, Severity.CRITICAL]
