"""How the example model server answers the Anthropic SDK: a message, whole or streamed, from a charge."""

import json
from collections.abc import Iterator
from typing import Any

from examples.bill import PRICE_LIST, Charge

Json = dict[str, Any]


def message(charge: Charge, answer: str) -> Json:
    """The whole message. Input leaves out what was read from the cache, as Anthropic's usage does."""
    return {
        "id": charge.id,
        "type": "message",
        "role": "assistant",
        "model": PRICE_LIST[charge.model].snapshot,
        "content": [{"type": "text", "text": answer}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _usage(charge) | {"output_tokens": charge.output_tokens},
    }


def events(charge: Charge, answer: str) -> Iterator[str]:
    """The same as server-sent events; what came out is said at the end."""
    begun = message(charge, answer) | {
        "content": [],
        "stop_reason": None,
        "usage": _usage(charge) | {"output_tokens": 1},
    }
    yield _event({"type": "message_start", "message": begun})
    yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    for word in answer.split():
        delta = {"type": "text_delta", "text": f"{word} "}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _event({"type": "content_block_stop", "index": 0})
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": ended, "usage": {"output_tokens": charge.output_tokens}})
    yield _event({"type": "message_stop"})


def _usage(charge: Charge) -> Json:
    return {
        "input_tokens": charge.input_tokens - charge.cached_input_tokens,
        "cache_read_input_tokens": charge.cached_input_tokens,
        "cache_creation_input_tokens": 0,
        "service_tier": "standard",
    }


def _event(data: Json) -> str:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n"
