"""Bodies in any slicing, and no more of a bomb than its limit."""

import gzip
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.http_body import PIECE_BYTES, Body, Receive, SenderGone
from collector.otlp_status import Answer, Outcome


def sent_in(slices: Sequence[bytes], gone: bool = False) -> Receive:
    waiting = list(slices)

    async def receive() -> dict[str, Any]:
        if not waiting and gone:
            return {"type": "http.disconnect"}
        piece = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": piece, "more_body": bool(waiting) or gone}

    return receive


def sliced(body: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


CUTS = st.lists(st.integers(0, 10**6), max_size=8)


@given(st.binary(max_size=3000), CUTS)
async def test_a_plain_body_comes_whole(body: bytes, cuts: list[int]):
    assert await Body(gzipped=False, bytes_max=3000).read(sent_in(sliced(body, cuts))) == body


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4), st.integers(1, 400), CUTS)
async def test_gzip_members_in_any_slicing_come_whole(parts: list[bytes], times: int, cuts: list[int]):
    whole = b"".join(part * times for part in parts)
    packed = b"".join(gzip.compress(part * times) for part in parts)
    read = await Body(gzipped=True, bytes_max=max(len(whole), len(packed))).read(sent_in(sliced(packed, cuts)))
    assert read == whole


@given(st.integers(0, 5000), CUTS)
async def test_the_limit_is_exact_and_holds_after_inflation(size: int, cuts: list[int]):
    packed = sliced(gzip.compress(bytes(size)), cuts)
    assert await Body(gzipped=True, bytes_max=max(size, 64)).read(sent_in(packed)) == bytes(size)
    if size > 64:
        refused = await Body(gzipped=True, bytes_max=size - 1).read(sent_in(packed))
        assert isinstance(refused, Answer)
        assert refused.outcome is Outcome.TOO_LARGE


async def test_a_bomb_is_inflated_no_further_than_its_limit():
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    body = Body(gzipped=True, bytes_max=1_000_000)
    refused = await body.read(sent_in([bomb]))
    assert isinstance(refused, Answer)
    assert refused.outcome is Outcome.TOO_LARGE
    assert sum(len(piece) for piece in body._pieces) <= 1_000_000 + PIECE_BYTES


@given(st.binary(min_size=1, max_size=200))
async def test_what_is_no_gzip_is_undecodable(body: bytes):
    refused = await Body(gzipped=True, bytes_max=1000).read(sent_in([body]))
    assert isinstance(refused, Answer)
    assert refused.outcome is Outcome.UNDECODABLE


@pytest.mark.parametrize("cut", [1, 9, 12, 17])
async def test_gzip_that_ends_early_is_undecodable(cut: int):
    refused = await Body(gzipped=True, bytes_max=1000).read(sent_in([gzip.compress(b"spans")[:-cut]]))
    assert isinstance(refused, Answer)
    assert refused.outcome is Outcome.UNDECODABLE


async def test_an_empty_body_is_empty_however_it_is_packed():
    assert await Body(gzipped=True, bytes_max=10).read(sent_in([])) == b""
    assert await Body(gzipped=False, bytes_max=10).read(sent_in([])) == b""


async def test_a_sender_that_goes_away_is_not_answered():
    with pytest.raises(SenderGone):
        await Body(gzipped=False, bytes_max=10).read(sent_in([b"x"], gone=True))
