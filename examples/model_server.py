"""A model server on this machine that speaks enough of OpenAI's and Anthropic's APIs, and keeps the bill.

    python -m examples.model_server --port 8090

Chat completions, responses, embeddings, messages; streams, tools, cached and reasoning tokens; ``GET /bill``.
The API key names who is billed, the header ``X-Session`` the session, and a request with the header ``X-Refuse-Once``
is answered with 429 the first time its value is seen. The answers are nonsense; the token counts are scripted.
"""

import argparse
import base64
import json
import signal
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from examples import model_server_messages
from examples.bill import PRICE_LIST, Bill, Charge

Json = dict[str, Any]

ANSWER = "This is what a model might have said."
EMBEDDING = [0.125, -0.25, 0.5, 0.0625, -0.5, 0.25, -0.125, 0.75]
BODY_BYTES_MAX = 8 * 1024 * 1024


class ModelServer(ThreadingHTTPServer):
    """Listens on ``host:port`` (0: any free port).

    ``run`` makes the ids of this run's answers unique; ``one_token_more`` makes the bill wrong on purpose.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, *, run: str, one_token_more: bool = False) -> None:
        super().__init__((host, port), _Call)
        self.bill = Bill(run)
        self.one_token_more = one_token_more

    @property
    def url(self) -> str:
        """Where it listens; the API is under ``/v1``."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ModelServer

    def log_request(self, *_: object) -> None:
        """Silent: the bill is the log."""

    def do_GET(self) -> None:
        if self.path == "/bill":
            self._answer(200, self.server.bill.as_json(one_token_more=self.server.one_token_more))
        else:
            self._refuse(404, "no such path")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            self._refuse(413, "the request is too large")
            return
        request: Json = json.loads(self.rfile.read(length) or b"{}")
        answers = {
            "/v1/chat/completions": self._chat,
            "/v1/responses": self._responses,
            "/v1/embeddings": self._embeddings,
            "/v1/messages": self._messages,
        }
        answer = answers.get(self.path)
        if answer is None:
            self._refuse(404, "no such path")
        elif request.get("model") not in PRICE_LIST:
            self._refuse(404, f"no such model: {request.get('model')}")
        elif self.server.bill.refuse_once(self.headers.get("X-Refuse-Once", "")):
            self._refuse(429, "too many requests", ("Retry-After-Ms", "20"))
        else:
            answer(request)

    def _chat(self, request: Json) -> None:
        charge = self._charge("chat", request, request["messages"])
        if request.get("stream"):
            with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
            self._stream(_chat_chunks(charge, with_usage=with_usage))
        else:
            self._answer(200, _chat_completion(charge, _next_tool(request)))

    def _responses(self, request: Json) -> None:
        charge = self._charge("responses", request, request["input"])
        if request.get("stream"):
            self._stream(_response_events(charge))
        else:
            self._answer(200, _response(charge, "completed"))

    def _messages(self, request: Json) -> None:
        charge = self._charge("chat", request, request["messages"])
        if request.get("stream"):
            self._stream(model_server_messages.events(charge, ANSWER))
        else:
            self._answer(200, model_server_messages.message(charge, ANSWER))

    def _embeddings(self, request: Json) -> None:
        inputs = request["input"] if isinstance(request["input"], list) else [request["input"]]
        charge = self._charge("embeddings", request, inputs)
        vector: str | list[float] = EMBEDDING
        if request.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{len(EMBEDDING)}f", *EMBEDDING)).decode()
        data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(inputs))]
        usage = {"prompt_tokens": charge.input_tokens, "total_tokens": charge.input_tokens}
        self._answer(200, {"object": "list", "data": data, "model": _snapshot(charge), "usage": usage})

    def _charge(self, operation: str, request: Json, prompt: object) -> Charge:
        return self.server.bill.charge(
            agent=self.headers.get("X-Api-Key") or self.headers.get("Authorization", "").removeprefix("Bearer "),
            session=self.headers.get("X-Session", ""),
            operation=operation,
            model=request["model"],
            characters=len(json.dumps(prompt)),
        )

    def _refuse(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        self._answer(status, {"error": {"message": message, "type": "model_server", "code": status}}, *headers)

    def _answer(self, status: int, body: Json, *headers: tuple[str, str]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(payload))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def _stream(self, events: Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            payload = event.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(payload), payload))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


def _next_tool(request: Json) -> Json | None:
    """The offered tools are asked for one after the other, once each, before the answer to a question."""
    answered = 0
    for message in reversed(request["messages"]):
        if message["role"] == "user":
            break
        answered += message["role"] == "tool"
    tools = request.get("tools") or []
    if answered >= len(tools):
        return None
    return {"type": "function", "function": {"name": tools[answered]["function"]["name"], "arguments": "{}"}}


def _snapshot(charge: Charge) -> str:
    return PRICE_LIST[charge.model].snapshot


def _chat_head(charge: Charge, kind: str) -> Json:
    return {
        "id": charge.id,
        "object": kind,
        "created": int(time.time()),
        "model": _snapshot(charge),
        "service_tier": "default",
    }


def _chat_usage(charge: Charge) -> Json:
    return {
        "prompt_tokens": charge.input_tokens,
        "completion_tokens": charge.output_tokens,
        "total_tokens": charge.input_tokens + charge.output_tokens,
        "prompt_tokens_details": {"cached_tokens": charge.cached_input_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": charge.reasoning_tokens, "audio_tokens": 0},
    }


def _chat_completion(charge: Charge, tool: Json | None) -> Json:
    message: Json = {"role": "assistant", "content": None if tool else ANSWER}
    if tool:
        message["tool_calls"] = [tool | {"id": f"call_{charge.id}"}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}
    return _chat_head(charge, "chat.completion") | {"choices": [choice], "usage": _chat_usage(charge)}


def _chat_chunks(charge: Charge, *, with_usage: bool) -> Iterator[str]:
    head = _chat_head(charge, "chat.completion.chunk")
    for word in ANSWER.split():
        yield _event(head | {"choices": [_delta({"role": "assistant", "content": f"{word} "}, None)]})
    yield _event(head | {"choices": [_delta({}, "stop")]})
    if with_usage:
        yield _event(head | {"choices": [], "usage": _chat_usage(charge)})
    yield "data: [DONE]\n\n"


def _delta(delta: Json, finish_reason: str | None) -> Json:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _response(charge: Charge, status: str) -> Json:
    content = [{"type": "output_text", "text": ANSWER, "annotations": []}]
    message = {"type": "message", "id": f"msg_{charge.id}", "role": "assistant", "status": status, "content": content}
    done = status == "completed"
    usage = {
        "input_tokens": charge.input_tokens,
        "input_tokens_details": {"cached_tokens": charge.cached_input_tokens, "cache_write_tokens": 0},
        "output_tokens": charge.output_tokens,
        "output_tokens_details": {"reasoning_tokens": charge.reasoning_tokens},
        "total_tokens": charge.input_tokens + charge.output_tokens,
    }
    return {
        "id": charge.id,
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "model": _snapshot(charge),
        "output": [message] if done else [],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": "default",
        "usage": usage if done else None,
    }


def _response_events(charge: Charge) -> Iterator[str]:
    place = {"item_id": f"msg_{charge.id}", "output_index": 0, "content_index": 0, "logprobs": []}
    yield _event({"type": "response.created", "sequence_number": 0, "response": _response(charge, "in_progress")})
    for number, word in enumerate(ANSWER.split(), start=1):
        yield _event({"type": "response.output_text.delta", "sequence_number": number, "delta": f"{word} "} | place)
    yield _event({"type": "response.completed", "sequence_number": 99, "response": _response(charge, "completed")})


def _event(data: Json) -> str:
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data)}\n\n"


def main() -> None:
    """Serves until SIGTERM or Ctrl-C; prints one ready line with its URL."""
    parser = argparse.ArgumentParser(prog="model_server", description="A local model server that keeps the bill.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--bill-one-token-more", action="store_true", help="falsify the bill, to see it noticed")
    arguments = parser.parse_args()
    run = f"{time.time_ns():x}"
    server = ModelServer(arguments.host, arguments.port, run=run, one_token_more=arguments.bill_one_token_more)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"ready model-server {server.url}", flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main()
