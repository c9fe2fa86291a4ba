"""The query API's settings: every fault at once, secrets unsaid."""

from decimal import Decimal

import pytest

from doors.settings_values import Address
from query_api.settings import BadSettings, read_settings

LEDGER = {"FINOPS_DATABASE_URL": "postgresql://me:secret@127.0.0.1/finops"}


def test_the_defaults_are_the_contracts() -> None:
    settings = read_settings(LEDGER)
    assert str(settings.address) == "127.0.0.1:8080"
    assert (settings.window_seconds, settings.anomaly_multiplier, settings.insecure) == (600, Decimal(5), False)
    assert settings.collector_url == "http://127.0.0.1:8081/health/ready"
    assert (settings.provider_urls, settings.docker_host) == ({}, None)


def test_neighbours_are_named() -> None:
    told = LEDGER | {
        "FINOPS_PROVIDERS": "openai=https://api.openai.com/v1/models, local=http://127.0.0.1:1",
        "FINOPS_COLLECTOR_URL": "off",
        "DOCKER_HOST": "unix:///var/run/docker.sock",
    }
    settings = read_settings(told)
    assert list(settings.provider_urls) == ["openai", "local"]
    assert (settings.collector_url, settings.docker_host) == (None, "unix:///var/run/docker.sock")


def test_every_fault_is_told_and_the_database_is_not() -> None:
    told = {
        "FINOPS_DATABASE_URL": "mysql://me:secret@host/db",
        "FINOPS_API": "nowhere",
        "FINOPS_WINDOW_SECONDS": "61",
        "FINOPS_ANOMALY_MULTIPLIER": "NaN",
        "FINOPS_INSECURE": "yes",
        "FINOPS_PROVIDERS": "openai",
        "FINOPS_API_POOL_MAX": "0",
    }
    with pytest.raises(BadSettings) as raised:
        read_settings(told)
    assert {fault.split()[0] for fault in raised.value.faults} == set(told)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("db", False)],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert Address(host, 1).is_loopback is loopback
