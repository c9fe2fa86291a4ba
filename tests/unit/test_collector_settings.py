"""Settings: defaults, every fault at once, nothing secret shown."""

from pathlib import Path

import pytest

from collector.receiver import grpc_options
from collector.settings import Address, BadSettings, Settings, read_settings, render_settings, variables

LEDGER = {"FINOPS_DATABASE_URL": "postgresql://finops:s3cret@127.0.0.1:5432/finops"}


def faults(**environment: str) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        read_settings({**LEDGER, **environment})
    return caught.value.faults


def test_a_ledger_is_all_that_must_be_named():
    settings = read_settings(LEDGER)
    assert settings.grpc == Address("127.0.0.1", 4317)
    assert settings.http == Address("127.0.0.1", 4318)
    assert settings.metrics == Address("127.0.0.1", 8081)
    assert settings.message_bytes_max == 16 * 1024 * 1024


def test_every_fault_is_found_in_one_reading():
    with pytest.raises(BadSettings) as caught:
        read_settings({"FINOPS_OTLP_GRPC": "4317", "FINOPS_INSECURE": "yes", "FINOPS_GROUP_SPANS_MAX": "-1"})
    assert caught.value.faults == [
        "FINOPS_DATABASE_URL must be set, e.g. postgresql://user@127.0.0.1:5432/finops",
        "FINOPS_OTLP_GRPC ('4317') is not host:port",
        "FINOPS_INSECURE ('yes') is not 0 or 1",
        "FINOPS_GROUP_SPANS_MAX ('-1') is not a whole number from 1 to 1000000",
    ]


@pytest.mark.parametrize("bad", ["", "host", ":1", "host:", "host:65536", "host:-1", "host:1e3", "host:٣"])
def test_what_is_no_address_is_refused(bad: str):
    if bad:
        assert faults(FINOPS_METRICS=bad) == [f"FINOPS_METRICS ({bad!r}) is not host:port"]
    else:
        assert read_settings({**LEDGER, "FINOPS_METRICS": bad}).metrics.port == 8081


def test_an_ipv6_address_keeps_its_brackets_outside():
    settings = read_settings({**LEDGER, "FINOPS_OTLP_GRPC": "[::1]:4317"})
    assert settings.grpc == Address("::1", 4317)
    assert str(settings.grpc) == "[::1]:4317"
    assert settings.grpc.is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "10.1.2.3", "collector.example"])
def test_listening_beyond_this_machine_needs_tokens_tls_or_a_word(host: str, tmp_path: Path):
    (fault,) = faults(FINOPS_OTLP_GRPC=f"{host}:4317")
    assert "FINOPS_OTLP_GRPC" in fault
    assert "FINOPS_INSECURE=1" in fault
    beyond = {**LEDGER, "FINOPS_OTLP_GRPC": f"{host}:4317", "FINOPS_OTLP_HTTP": f"{host}:4318"}
    assert read_settings({**beyond, "FINOPS_INSECURE": "1"}).insecure
    assert read_settings({**beyond, "FINOPS_INGEST_TOKENS_REQUIRED": "1"}).tokens_required
    pem = tmp_path / "any.pem"
    pem.write_text("x")
    assert read_settings({**beyond, "FINOPS_TLS_CERTIFICATE": str(pem), "FINOPS_TLS_KEY": str(pem)}).tls_key == pem


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path):
    pem = tmp_path / "any.pem"
    pem.write_text("x")
    assert len(faults(FINOPS_TLS_CERTIFICATE=str(pem))) == 1
    assert len(faults(FINOPS_TLS_CLIENT_CA=str(pem))) == 1
    assert len(faults(FINOPS_ADMITTED_BYTES_MAX="65536")) == 1
    assert faults(FINOPS_TLS_KEY="/nowhere")[0].startswith("FINOPS_TLS_KEY ('/nowhere') names no readable file")


def test_a_secret_is_never_shown():
    shown = "\n".join(render_settings(read_settings(LEDGER)))
    assert "s3cret" not in shown
    assert "FINOPS_DATABASE_URL=***" in shown
    assert all("s3cret" not in fault for fault in faults(FINOPS_DATABASE_URL="mysql://u:s3cret@h/d"))


def test_what_is_shown_can_be_read_again():
    shown = render_settings(read_settings({**LEDGER, "FINOPS_GRPC_BDP_PROBE": "1"}))
    again = dict(line.partition("  # ")[0].split("=", 1) for line in shown)
    assert read_settings({**again, **LEDGER}) == read_settings({**LEDGER, "FINOPS_GRPC_BDP_PROBE": "1"})


def test_every_setting_has_a_variable_of_its_own_and_a_meaning():
    named = variables()
    assert [*named, "oidc"] == list(Settings.__dataclass_fields__)
    assert len({variable.name for variable in named.values()}) == len(named)
    assert all(variable.name.startswith("FINOPS_") and variable.meaning for variable in named.values())


def test_grpc_options_come_from_the_settings():
    options = dict(grpc_options(read_settings({**LEDGER, "FINOPS_GRPC_STREAMS_MAX": "7"})))
    assert options["grpc.max_concurrent_streams"] == 7
    assert options["grpc.so_reuseport"] == 0
    assert options["grpc.http2.max_ping_strikes"] == 0
    assert options["grpc.http2.min_ping_interval_without_data_ms"] == 5000
    assert "grpc.maximum_concurrent_rpcs" not in options
