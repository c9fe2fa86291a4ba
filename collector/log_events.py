"""OTLP log exports to span records: coding agents report their model calls as log events.

An event that names its span becomes a call directly below that span, so that the counting rule sees a copy and not a
second call; one without a span gets an identity made of what it says, the same however often it is delivered. Every
other log record is passed over. Raises ``Undecodable`` where not one record can be read.
"""

from hashlib import blake2b
from typing import Final, NamedTuple

from collector import dialects_table as table
from collector import otlp_lite
from collector.decode import ATTRIBUTES_MAX, Decoded, Undecodable, keep
from collector.decode_attributes import Unreadable, read_attributes, read_json_attributes
from collector.decode_json import JsonLogRecord, json_any, json_id, json_nanos, read_json_logs
from collector.decode_senders import emitter_of, json_emitter, json_sender, sender_of
from collector.normalize import Sender, SpanFrame, normalize
from collector.normalize_plan import Emitter
from collector.values import TEXT_CAPS, Said, text_of
from finops.spans import Rejected, SpanRecord

EVENT_NAME_KEYS: Final = ("event.name", "name")


class _Event(NamedTuple):
    """One log record before it is known to be of interest."""

    name: str
    trace_id: bytes
    span_id: bytes
    time_ns: int
    said: Said


def decode_logs(body: bytes, tenant: str, received_ns: int) -> Decoded:
    """The model calls in an ExportLogsServiceRequest; ``received_ns`` dates records that carry no time."""
    salvage = otlp_lite.read_groups(body, otlp_lite.LOGS)
    decoded = Decoded([], [])
    seen = 0
    for group in salvage.groups:
        sender, emitter = sender_of(group.resource), emitter_of(group.scope)
        for record in group.items:
            seen += 1
            try:
                event = _event(record, emitter.scope, received_ns)
            except Unreadable:
                decoded.rejected.append(Rejected("undecodable", "an attribute of a log record is damaged"))
                continue
            if event is not None:
                _keep(_record(event, tenant, sender, emitter), decoded)
    if salvage.damaged and not seen:
        raise Undecodable("not one log record can be read from these bytes")
    decoded.rejected.extend([Rejected("undecodable", "a log record in a damaged message")] * salvage.lost)
    return decoded


def decode_logs_json(body: bytes, tenant: str, received_ns: int) -> Decoded:
    """The same out of OTLP/JSON."""
    decoded = Decoded([], [])
    for group in read_json_logs(body):
        sender, emitter = json_sender(group.resource), json_emitter(group.scope_name, group.scope_version)
        for record in group.items:
            event = _json_event(record, emitter.scope, received_ns)
            if event is not None:
                _keep(_record(event, tenant, sender, emitter), decoded)
        decoded.rejected.extend([Rejected("undecodable", "a log record that is not OTLP/JSON")] * group.lost)
    return decoded


def _keep(outcome: SpanRecord | Rejected, decoded: Decoded) -> None:
    """An event that states no usage adds nothing to what spans say, or says nothing."""
    if not isinstance(outcome, SpanRecord) or outcome.usage is not None:
        keep(outcome, decoded)


def _event(record: otlp_lite.Message, scope: str, received_ns: int) -> _Event | None:
    if len(record.attributes) > ATTRIBUTES_MAX:
        return None
    said = read_attributes(record.attributes)
    if said is None:
        return None
    name = record.event_name[:128].decode("utf-8", "replace") or _named(said) or _body_name(record.body)
    time_ns = record.time_unix_nano or record.observed_time_unix_nano or received_ns
    return _known(_Event(name, record.trace_id, record.span_id, time_ns, said), scope)


def _json_event(record: JsonLogRecord, scope: str, received_ns: int) -> _Event | None:
    said = read_json_attributes(record.attributes) if len(record.attributes) <= ATTRIBUTES_MAX else None
    if said is None:
        return None
    body = json_any(record.body)
    name = record.event_name[:128] or _named(said) or (body and text_of(*body, TEXT_CAPS["text"])) or ""
    time_ns = json_nanos(record.time_unix_nano) or json_nanos(record.observed_time_unix_nano) or received_ns
    return _known(_Event(name, json_id(record.trace_id), json_id(record.span_id), time_ns, said), scope)


def _named(said: Said) -> str:
    return next((str(said[key]) for key in EVENT_NAME_KEYS if key in said), "")


def _body_name(body: bytes) -> str:
    """The text of a log body where it is short enough to be the name of an event."""
    if not 3 <= len(body) <= 66 or body[0] != 0x0A or body[1] != len(body) - 2:
        return ""
    return body[2:].decode("utf-8", "replace")


def _known(event: _Event, scope: str) -> _Event | None:
    """The event under its full name, if it is one that states a call's usage."""
    for known in table.LOG_EVENTS:
        if event.name != known.name and not (event.name in known.aliases and known.scope.match(scope)):
            continue
        if any(pattern.match(scope) for pattern in known.never_from):
            return None
        if any(event.said.get(key) != value for key, value in known.when.items()):
            return None
        return event._replace(name=known.name)
    return None


def _record(event: _Event, tenant: str, sender: Sender, emitter: Emitter) -> SpanRecord | Rejected:
    trace_id, span_id, parent_id = _identity(event, sender)
    frame = SpanFrame(tenant, trace_id, span_id, parent_id, event.time_ns, event.time_ns, event.name, False, sender)
    said = event.said | {event.name: True}
    return normalize(frame, emitter, said)


def _identity(event: _Event, sender: Sender) -> tuple[bytes, bytes, bytes]:
    """Trace, span and parent. All events of one span share one identity: they speak of one call."""
    if len(event.trace_id) == 16 and event.trace_id.strip(b"\0"):
        if len(event.span_id) == 8 and event.span_id.strip(b"\0"):
            return event.trace_id, _digest(8, b"log", event.trace_id, event.span_id), event.span_id
        return event.trace_id, _digest(8, event.name.encode(), *_words(event)), b""
    session = next((str(event.said[key]) for key in ("session.id", "conversation.id") if key in event.said), "")
    trace = _digest(16, b"session", sender.service.encode(), session.encode()) if session else b""
    words = _words(event)
    return trace or _digest(16, event.name.encode(), *words), _digest(8, event.name.encode(), *words), b""


def _words(event: _Event) -> list[bytes]:
    """What tells this event from every other: the id of its request, or its time and all it says."""
    for key in ("request_id", "client_request_id", "gen_ai.response.id"):
        if key in event.said:
            return [str(event.said[key]).encode()]
    said = [f"{key}={event.said[key]!r}".encode() for key in sorted(event.said)]
    return [event.time_ns.to_bytes(8), *said]


def _digest(size: int, *words: bytes) -> bytes:
    digest = blake2b(digest_size=size, person=b"finops log event")
    for word in words:
        digest.update(len(word).to_bytes(4) + word)
    return digest.digest()
