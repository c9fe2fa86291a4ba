"""What receivers get: signatures their libraries accept, incidents that open and close, and names that do no harm."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alert_world import NOW, runaway
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from finops.alert_delivery import Channel, Delivery, Destination, Event, Parcel, Renotify, shown_address
from finops.alerts import Alert, Severity
from query_api.alerting import alertmanager, pagerduty, slack, webhook
from query_api.alerting.outbound import Post

SECRET, OLDER = webhook.new_secret(b"s" * 32), webhook.new_secret(b"o" * 32)
MINUTE = timedelta(minutes=1)
CRITICAL = Severity.CRITICAL


def parcel(channel: Channel, *deliveries: Delivery, secrets: tuple[str, ...] = (), url: str = "https://x/y") -> Parcel:
    destination = Destination(
        destination_id="d",
        org_id="",
        name="hook",
        channel=channel,
        url=url,
        secrets=secrets,
        matchers={},
        renotify=Renotify.NEVER,
        renotify_seconds=0,
        send_resolved=True,
        enabled=True,
    )
    return Parcel(destination, deliveries, "lease")


def delivery(event: Event = Event.FIRED, alert: Alert | None = None, before: str = "") -> Delivery:
    return Delivery("0af1", event, alert or runaway(), before, NOW + MINUTE, NOW)


def tree(post: Post) -> Any:
    return json.loads(post.content, parse_float=str)


def test_a_webhook_is_verified_by_the_standards_own_library() -> None:
    now = datetime.now(UTC)
    post = webhook.post(parcel(Channel.WEBHOOK, delivery(), secrets=(SECRET,)), now)
    assert Webhook(SECRET).verify(post.content, dict(post.headers))["type"] == "alert.fired"
    with pytest.raises(WebhookVerificationError):
        Webhook(OLDER).verify(post.content, dict(post.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(post.content + b" ", dict(post.headers))


def test_while_a_secret_is_being_replaced_both_verify() -> None:
    post = webhook.post(parcel(Channel.WEBHOOK, delivery(), secrets=(SECRET, OLDER)), datetime.now(UTC))
    for secret in (SECRET, OLDER):
        assert Webhook(secret).verify(post.content, dict(post.headers))


def test_every_attempt_has_the_same_identity_and_content() -> None:
    one, other = (
        webhook.post(parcel(Channel.WEBHOOK, delivery(), secrets=(SECRET,)), NOW + n * MINUTE) for n in (1, 9)
    )
    assert (one.headers["webhook-id"], one.content) == (other.headers["webhook-id"], other.content)
    assert one.headers["webhook-timestamp"] != other.headers["webhook-timestamp"]


def test_a_webhook_tells_the_whole_alert_with_every_digit() -> None:
    told = tree(webhook.post(parcel(Channel.WEBHOOK, delivery(Event.RESOLVED), secrets=(SECRET,)), NOW))
    assert told["type"] == "alert.resolved"
    assert told["timestamp"] == "2026-11-20T12:01:00Z"
    data = told["data"]
    assert (data["status"], data["key"], data["severity"]) == ("resolved", "anomaly:acme:s1", "warning")
    assert data["figures"] == {"burnRateUsdPerHour": "4.200000000001", "anomalyRatio": "8.4"}
    assert (data["firedAt"], data["resolvedAt"]) == ("2026-11-20T12:00:00Z", "2026-11-20T12:01:00Z")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!", "x" * 40, SECRET[6:], SECRET + "é"])
def test_what_is_no_secret_of_the_standard_is_refused(secret: str) -> None:
    assert not webhook.usable(secret)
    assert webhook.usable(SECRET)


def test_pagerduty_opens_an_incident_and_closes_the_same() -> None:
    key = "k" * 32
    opened, worse, closed = (
        tree(pagerduty.post(parcel(Channel.PAGERDUTY, delivery(event), secrets=(key,)), NOW))
        for event in (Event.FIRED, Event.REMINDER, Event.RESOLVED)
    )
    assert [told["event_action"] for told in (opened, worse, closed)] == ["trigger", "trigger", "resolve"]
    assert {told["dedup_key"] for told in (opened, worse, closed)} == {"anomaly:acme:s1"}
    assert opened["routing_key"] == key
    assert opened["payload"]["severity"] == "warning"
    assert opened["payload"]["custom_details"]["figures"]["burnRateUsdPerHour"] == "4.200000000001"
    assert "payload" not in closed


def test_pagerdutys_limits_are_kept() -> None:
    long = tree(
        pagerduty.post(parcel(Channel.PAGERDUTY, delivery(alert=runaway(summary="x" * 5000)), secrets=("k",)), NOW)
    )
    assert len(long["payload"]["summary"]) == 1024


def test_alertmanager_knows_an_alert_by_labels_without_figures_and_forgets_it_if_we_die() -> None:
    resend = MINUTE
    at = parcel(Channel.ALERTMANAGER, delivery(), url="http://am:9093/prefix/")
    post = alertmanager.post(at, NOW + MINUTE, resend)
    assert post.url == "http://am:9093/prefix/api/v2/alerts"
    (told,) = tree(post)
    assert told["labels"] == {
        "alertname": "FinopsAnomaly",
        "kind": "anomaly",
        "severity": "warning",
        "org_id": "acme",
        "agent_id": "clerk",
        "session_id": "s1",
        "key": "anomaly:acme:s1",
    }
    assert told["annotations"]["burn_rate_usd_per_hour"] == "4.200000000001"
    assert (told["startsAt"], told["endsAt"]) == ("2026-11-20T12:00:00Z", "2026-11-20T12:05:00Z")
    (over,) = tree(alertmanager.post(parcel(Channel.ALERTMANAGER, delivery(Event.RESOLVED)), NOW + 9 * MINUTE, resend))
    assert over["labels"] == told["labels"]
    assert over["endsAt"] == "2026-11-20T12:01:00Z"


def test_a_worse_severity_ends_the_alert_that_alertmanager_knows() -> None:
    worse = delivery(Event.ESCALATED, runaway(severity=CRITICAL), "warning")
    new, old = tree(alertmanager.post(parcel(Channel.ALERTMANAGER, worse), NOW + 2 * MINUTE, MINUTE))
    assert [alert["labels"]["severity"] for alert in (new, old)] == ["critical", "warning"]
    assert old["endsAt"] < new["endsAt"]


def test_alertmanagers_token_is_sent_where_there_is_one() -> None:
    with_token = parcel(Channel.ALERTMANAGER, delivery(), secrets=("abc",))
    assert alertmanager.post(with_token, NOW, MINUTE).headers == {"Authorization": "Bearer abc"}


def test_slack_is_told_of_many_alerts_in_one_message_and_names_call_nobody() -> None:
    evil = runaway("s2", agent_id="<!channel> <https://evil.example|click> *&*", title="*<@U1>* burns", summary="`x`")
    told = tree(slack.post(parcel(Channel.SLACK, delivery(), delivery(alert=evil)), NOW))
    assert told["text"] == "[warning] clerk burns too fast and 1 more"
    assert len(told["blocks"]) == 2
    text = told["blocks"][1]["text"]["text"]
    assert "<" not in text
    assert text.count("*") == 2
    assert "&lt;!channel&gt;" in text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://hooks.slack.com/services/T0/B0/secret", "https://hooks.slack.com/…"),
        ("https://user:secret@hook.example:8443/secret?secret", "https://hook.example:8443/…"),
        ("https://hook.example?secret", "https://hook.example/…"),
        ("mailto://user:secret@example.com", "mailto://…"),
        ("secret", "…"),
    ],
)
def test_of_an_address_only_the_host_is_shown(url: str, told: str) -> None:
    assert shown_address(url) == told


def test_a_destination_in_a_log_shows_no_secret() -> None:
    shown = repr(parcel(Channel.SLACK, url="https://hooks.slack.com/secret", secrets=("secret",)))
    assert "secret" not in shown
    assert "secret" not in repr(replace(parcel(Channel.SLACK, secrets=("secret",)).destination, name="x"))
