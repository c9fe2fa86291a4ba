"""Session, organisation and user that travel with a request through your services, and to nobody else's.

    carry_baggage(hosts={"*.internal", "localhost"})   # once, at the start, after OpenTelemetry was set up
    with speaking_for(session="conversation-7", org="acme"):
        ...                                            # here, and in every service of yours that is called from here

OpenTelemetry's SDKs send baggage to every host that is called, model providers included, and put it on no span. This
puts it on spans, and sends it only to hosts that you name; where the host is not known, nothing is sent. Whoever can
call your services can send baggage, too: ``from_outside`` is for those that strangers may call; it believes none.

Redirects: requests, urllib and aiohttp follow one with the headers of the first request and ask nobody again. Where a
host that you name may redirect to one that you do not, switch redirects off. httpx asks for each.
"""

from collections.abc import Collection, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from opentelemetry import baggage, context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

CARRIED = ("finops.session", "finops.org", "finops.user")
VALUE_CHARACTERS_MAX = 256
HOST_ATTRIBUTES = ("server.address", "net.peer.name")
URL_ATTRIBUTES = ("url.full", "http.url")


def carry_baggage(hosts: Collection[str], *, from_outside: bool = False) -> None:
    """Puts baggage on the spans of this process and keeps it from every host that fits none of ``hosts``.

    ``hosts`` are names or patterns such as ``*.internal``, without ports. Raises ``RuntimeError`` where there is no
    tracer provider of the SDK yet.
    """
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        raise RuntimeError("set OpenTelemetry up first, or start the program under opentelemetry-instrument")
    provider.add_span_processor(BaggageOnSpans())
    propagate.set_global_textmap(OwnHostsOnly(propagate.get_global_textmap(), hosts, from_outside=from_outside))


@contextmanager
def speaking_for(**who: str) -> Iterator[None]:
    """Everything inside belongs to ``session``, ``org`` and ``user``; those that are left out stay as they are."""
    carried = context.get_current()
    for name, value in who.items():
        if f"finops.{name}" not in CARRIED:
            raise TypeError(f"{name} is none of session, org and user")
        carried = baggage.set_baggage(f"finops.{name}", value[:VALUE_CHARACTERS_MAX], carried)
    token = context.attach(carried)
    try:
        yield
    finally:
        context.detach(token)


class BaggageOnSpans(SpanProcessor):
    """Writes what is carried on every span that starts and does not say it itself."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Called by the SDK."""
        said: Mapping[str, object] = span.attributes or {}
        for key in CARRIED:
            value = baggage.get_baggage(key, parent_context)
            if isinstance(value, str) and key not in said:
                span.set_attribute(key, value[:VALUE_CHARACTERS_MAX])


class OwnHostsOnly(TextMapPropagator):
    """The propagator it is given, without baggage for hosts that are not named.

    An instrumentation injects inside its client span, and that says which host is called.
    """

    def __init__(self, inner: TextMapPropagator, hosts: Collection[str], *, from_outside: bool) -> None:
        self._inner, self._from_outside = inner, from_outside
        self._hosts = tuple(host.lower() for host in hosts)

    @property
    def fields(self) -> set[str]:
        """Headers that may be written."""
        return self._inner.fields

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Called by instrumentations before a request is sent."""
        host = called_host(trace.get_current_span(context))
        own = host is not None and any(fnmatchcase(host, pattern) for pattern in self._hosts)
        if not own and isinstance(carrier, MutableMapping):
            carrier.pop("baggage", None)  # of the request that was redirected here
        self._inner.inject(carrier, context if own else baggage.clear(context), setter)

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """Called by instrumentations when a request has come."""
        found = self._inner.extract(carrier, context, getter)
        return baggage.clear(found) if self._from_outside else found


def called_host(span: trace.Span) -> str | None:
    """The host that a client span calls, lower case; ``None`` where it does not say, or is no client."""
    if not isinstance(span, ReadableSpan) or span.kind is not trace.SpanKind.CLIENT:
        return None
    said: Mapping[str, object] = span.attributes or {}
    for key in URL_ATTRIBUTES:
        if host := urlsplit(str(said.get(key, ""))).hostname:
            return host
    return next((str(said[key]).lower() for key in HOST_ATTRIBUTES if key in said), None)
