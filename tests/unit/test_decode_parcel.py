"""What a decoding process hands over is what it has decoded."""

from corpus_loader import scenarios
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_bytes import export, span

from collector.decode import Decoded, decode_traces
from collector.decode_parcel import pack, unpack
from finops.spans import NO_DIMENSIONS, Dimensions, Rejected, SpanRecord
from finops.usage import TokenUsage


def same(decoded: Decoded) -> None:
    """Equal, and of the same kinds: a tuple equals a named one, too."""
    again = unpack(pack(decoded))
    assert again == decoded
    assert type(again) is type(decoded)
    assert {type(record) for record in again.records} <= {SpanRecord}
    assert {type(refused) for refused in again.rejected} <= {Rejected}
    for before, after in zip(decoded.records, again.records, strict=True):
        kinds = [type(value) for value in after]
        assert kinds == [type(value) for value in before]


def test_every_recording_comes_back_as_it_was_decoded() -> None:
    bodies = [body for scenario in scenarios() for body in scenario.traces]
    seen = [decode_traces(body, "acme", 1_790_000_000_000_000_000) for body in bodies]
    for decoded in seen:
        same(decoded)
    records = [record for decoded in seen for record in decoded.records]
    assert len(records) > 1000
    assert {record.usage is None for record in records} == {False, True}
    assert {record.own is NO_DIMENSIONS for record in records} == {False, True}


@settings(max_examples=100)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=60), st.text(max_size=12)), max_size=4))
def test_what_is_refused_comes_back_too(refused: list[tuple[str, str, str]]) -> None:
    same(Decoded([], [Rejected(reason, f"{detail} {tenant}") for reason, detail, tenant in refused]))
    sound = decode_traces(export(span()), "", 1)
    same(Decoded(sound.records, [Rejected(reason, detail) for reason, detail, _ in refused]))


def test_spans_of_one_parcel_share_who_they_belong_to() -> None:
    body = export(*(span(span_id=number.to_bytes(8)) for number in range(1, 4)))
    decoded = decode_traces(body, "", 1)
    owner = Dimensions("acme", *([None] * (len(Dimensions._fields) - 1)))
    records = [record._replace(own=owner, usage=TokenUsage(1, 2)) for record in decoded.records]
    again = unpack(pack(Decoded(records, []))).records
    assert len({id(record.own) for record in again}) == 1
    assert all(record.resource is NO_DIMENSIONS for record in again if record.resource == NO_DIMENSIONS)
