"""The baggage helper: what travels reaches spans and services of one's own, and no header of anybody else's."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from collector.dialects_table import dialect_keys
from examples.baggage import CARRIED, VALUE_CHARACTERS_MAX, BaggageOnSpans, OwnHostsOnly, carry_baggage, speaking_for

Headers = dict[str, str]


@pytest.fixture
def service() -> Iterator[tuple[int, list[Headers]]]:
    """A service, known as 127.0.0.1 and as localhost; the headers that reached it."""
    heard: list[Headers] = []

    class Answer(BaseHTTPRequestHandler):
        def log_request(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            heard.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(204)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1], heard
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> trace.Tracer:
    provider = TracerProvider()
    provider.add_span_processor(BaggageOnSpans())
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider.get_tracer("test")


def careful(*hosts: str, from_outside: bool = False) -> OwnHostsOnly:
    return OwnHostsOnly(propagate.get_global_textmap(), hosts, from_outside=from_outside)


def call(tracer: trace.Tracer, host: str, port: int, propagator: OwnHostsOnly, **said: str) -> None:
    """A request as instrumentations of HTTP clients make it: the headers are injected inside the client span."""
    url = f"http://{host}:{port}/"
    attributes = {key.replace("_", "."): value for key, value in (said or {"url_full": url}).items()}
    with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=attributes):
        headers: Headers = {}
        propagator.inject(headers)
        with urlopen(Request(url, headers=headers), timeout=10):
            pass


def test_a_service_of_one_s_own_is_told_and_a_foreign_one_is_not(
    tracer: trace.Tracer, service: tuple[int, list[Headers]]
) -> None:
    port, heard = service
    with speaking_for(session="conversation 7", org="acme"):
        call(tracer, "127.0.0.1", port, careful("127.0.0.*"))
        call(tracer, "localhost", port, careful("127.0.0.*"))
    own, foreign = heard
    assert sorted(own["baggage"].split(",")) == ["finops.org=acme", "finops.session=conversation+7"]
    assert "baggage" not in foreign
    assert "traceparent" in foreign
    assert "acme" not in str(foreign)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"server_address": "API.internal"}, True),
        ({"net_peer_name": "api.internal"}, True),
        ({"http_url": "https://api.internal:8443/v1"}, True),
        ({"server_address": "api.openai.com"}, False),
        ({"url_full": "https://api.openai.com/v1?next=api.internal"}, False),
        ({"url_full": "https://api.internal@api.openai.com/"}, False),
        ({"url_full": "https://api.openai.com/", "server_address": "api.internal"}, False),
        ({"peer_service": "api.internal"}, False),
    ],
)
def test_the_host_that_is_called_decides(
    said: Headers, told: bool, tracer: trace.Tracer, service: tuple[int, list[Headers]]
) -> None:
    port, heard = service
    with speaking_for(org="acme"):
        call(tracer, "127.0.0.1", port, careful("*.internal"), **said)
    assert ("baggage" in heard[0]) is told


def test_a_request_that_is_redirected_to_a_foreign_host_loses_what_it_carried(tracer: trace.Tracer) -> None:
    headers = {"baggage": "finops.org=acme", "accept": "*/*"}
    foreign = {"url.full": "https://api.openai.com/"}
    with speaking_for(org="acme"), tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=foreign):
        careful("*.internal").inject(headers)
    assert set(headers) == {"accept", "traceparent"}


def test_without_a_client_span_nothing_is_sent(tracer: trace.Tracer) -> None:
    headers: Headers = {}
    with speaking_for(org="acme"), tracer.start_as_current_span("work", attributes={"server.address": "a.internal"}):
        careful("*").inject(headers)
    assert set(headers) == {"traceparent"}


def test_every_span_inside_says_whose_it_is_and_none_outside(tracer: trace.Tracer, spans: InMemorySpanExporter) -> None:
    with speaking_for(session="s" * 999, org="acme"), tracer.start_as_current_span("run"):
        tracer.start_span("chat", attributes={"finops.org": "said by itself"}).end()
    with tracer.start_as_current_span("later"):
        pass
    found = {span.name: dict(span.attributes or {}) for span in spans.get_finished_spans()}
    session = "s" * VALUE_CHARACTERS_MAX
    assert found == {
        "run": {"finops.session": session, "finops.org": "acme"},
        "chat": {"finops.session": session, "finops.org": "said by itself"},
        "later": {},
    }


def test_what_a_service_was_told_is_on_its_spans(tracer: trace.Tracer, spans: InMemorySpanExporter) -> None:
    headers = {"baggage": "finops.session=s-1,other=thing"}
    token = context.attach(careful().extract(headers))
    try:
        with tracer.start_as_current_span("served"):
            pass
    finally:
        context.detach(token)
    assert dict(spans.get_finished_spans()[0].attributes or {}) == {"finops.session": "s-1"}


def test_a_service_for_strangers_believes_none_of_their_baggage() -> None:
    headers = {"baggage": "finops.org=somebody-else"}
    assert baggage.get_all(careful(from_outside=True).extract(headers)) == {}


def test_what_is_carried_is_what_the_collector_reads() -> None:
    assert set(CARRIED) <= dialect_keys()


def test_other_words_are_refused() -> None:
    with pytest.raises(TypeError, match="team"), speaking_for(team="a"):
        pass


def test_it_says_when_opentelemetry_has_not_been_set_up() -> None:
    with pytest.raises(RuntimeError, match="opentelemetry-instrument"):
        carry_baggage({"localhost"})
