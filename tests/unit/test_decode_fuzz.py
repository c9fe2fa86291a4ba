"""Whatever the bytes: decoding answers with records, refusals or ``Undecodable``, and records are always sound."""

import random
from contextlib import suppress

import pytest
from corpus_loader import scenarios
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_bytes import export, key_value, span

from collector.decode import Decoded, Undecodable, decode_traces, decode_traces_json
from collector.decode_attributes import _KINDS, _read_wanted
from collector.log_events import decode_logs, decode_logs_json
from finops.usage import token_usage

MUTATIONS = 3000


def check(decoded: Decoded) -> None:
    for record in decoded.records:
        assert (len(record.trace_id), len(record.span_id), len(record.parent_id) in (0, 8)) == (16, 8, True)
        assert record.flags == tuple(sorted(record.flags))
        if record.usage is not None:
            token_usage(**record.usage._asdict())
        for text in (record.name, record.provider, record.request_model, record.response_id, *record.own):
            assert text is None or ((len(text) <= 256 and text.isprintable()) or not text.isascii())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_surprise(body: bytes) -> None:
    for decode in (decode_traces, decode_traces_json, decode_logs, decode_logs_json):
        with suppress(Undecodable):
            check(decode(body, "", 0))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_damaged_recordings_never_surprise(seed: int) -> None:
    chance = random.Random(seed)
    bodies = [body for scenario in scenarios() for body in scenario.traces]
    for _ in range(MUTATIONS // 3):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(body))
            kind = chance.random()
            if kind < 0.5:
                body[at] = chance.randrange(256)
            elif kind < 0.75:
                del body[at : at + chance.randint(1, 40)]
            else:
                body[at:at] = chance.randbytes(chance.randint(1, 20))
            body = body or bytearray(b"\0")
        with suppress(Undecodable):
            check(decode_traces(bytes(body), "", 0))


NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats())
VALUES = NUMBERS | st.text(max_size=40) | st.binary(max_size=40)
KEYS = sorted(key.decode() for key in _KINDS)
SCOPES = [
    "my-app", "ai", "gen_ai", "litellm", "pydantic-ai", "langfuse-sdk", "openlit.instrumentation.openai",
    "logfire.openai", "mlflow.tracing", "gcp.vertex.agent", "openinference.instrumentation.litellm",
    "com.anthropic.claude_code",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12), st.sampled_from(SCOPES))
def test_any_words_in_any_scope_give_a_sound_record_or_a_reason(said: dict[str, object], scope: str) -> None:
    decoded = decode_traces(export(span(said), scope=scope), "", 0)
    assert len(decoded.records) + len(decoded.rejected) == 1
    assert {r.reason for r in decoded.rejected} <= {"bad_usage", "implausible", "ambiguous"}
    check(decoded)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(_KINDS)), VALUES)
def test_reading_a_pair_again_gives_the_same(key: bytes, value: object) -> None:
    pair = key_value(key.decode(), value)
    assert _read_wanted(pair) == _read_wanted(pair)
