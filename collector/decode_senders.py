"""Who sends: resources and instrumentation scopes, read once and remembered, and the names of spans."""

from typing import Final

from collector import dialects_table as table
from collector import otlp_lite
from collector.decode_json import JsonAttribute, json_any
from collector.normalize import Sender
from collector.normalize_plan import Emitter
from collector.values import TEXT_CAPS, clean_text, read_pair, text_of
from finops.spans import NO_DIMENSIONS, Dimensions

SENDERS_MAX: Final = 4096
"""Resources, and names of spans, remembered."""
EMITTERS_MAX: Final = 128
"""Instrumentation scopes remembered with their plans."""
REMEMBERED_BYTES_MAX: Final = 640
"""Longer scopes are not remembered; resources sixteen times as long are."""

_RESOURCE_KINDS: Final = {
    name.encode(): name for names in table.RESOURCE_KEYS.values() for name in names
}  # fmt: skip

_senders: dict[bytes, Sender] = {}
_emitters: dict[bytes, Emitter] = {}
_names: dict[bytes, str] = {}


def senders_remembered() -> dict[str, int]:
    """How many resources, scopes and span names are remembered now."""
    return {"resources": len(_senders), "scopes": len(_emitters), "names": len(_names)}


def name_of(name: bytes) -> str:
    """A span's name for people: clean, at most 128 characters."""
    text = _names.get(name)
    if text is None:
        text = clean_text(name[:1024].decode("utf-8", "replace"), TEXT_CAPS["text"]) or ""
        if len(name) <= REMEMBERED_BYTES_MAX:
            if len(_names) >= SENDERS_MAX:
                _names.clear()
            _names[name] = text
    return text


def emitter_of(scope: bytes) -> Emitter:
    """The emitter a scope message names."""
    emitter = _emitters.get(scope)
    if emitter is None:
        message = otlp_lite.parse_or_none(otlp_lite.Scope, scope)
        name, version = (message.name, message.version) if message is not None else (b"", b"")
        emitter = Emitter(_short(name), _short(version))
        if len(_emitters) >= EMITTERS_MAX:
            _emitters.clear()
        if len(scope) <= REMEMBERED_BYTES_MAX:
            _emitters[scope] = emitter
    return emitter


def _short(text: bytes) -> str:
    return clean_text(text[:512].decode("utf-8", "replace"), TEXT_CAPS["text"]) or ""


def sender_of(resource: bytes) -> Sender:
    """Who a resource message says its spans belong to."""
    sender = _senders.get(resource)
    if sender is None:
        sender = _read_sender(resource)
        if len(_senders) >= SENDERS_MAX:
            _senders.clear()
        if len(resource) <= 16 * REMEMBERED_BYTES_MAX:
            _senders[resource] = sender
    return sender


def _read_sender(resource: bytes) -> Sender:
    message = otlp_lite.parse_or_none(otlp_lite.Resource, resource)
    said: dict[str, str] = {}
    for pair in message.attributes if message is not None else ():
        read = read_pair(pair)
        name = _RESOURCE_KINDS.get(read.key) if read else None
        text = text_of(read.field, read.content, TEXT_CAPS["session"]) if read and name else None
        if name and text:
            said.setdefault(name, text)
    return sender_from(said)


def sender_from(said: dict[str, str]) -> Sender:
    """The same out of a resource's wanted attributes."""
    first = {name: next((said[key] for key in keys if key in said), None) for name, keys in table.RESOURCE_KEYS.items()}
    service = first.pop("service") or ""
    stated = Dimensions(**{name: said.get(f"finops.{name}") for name in first})
    return Sender(_or_none(Dimensions(**first)), "" if _unnamed(service) else service, _or_none(stated))


def _or_none(dimensions: Dimensions) -> Dimensions:
    return NO_DIMENSIONS if dimensions == NO_DIMENSIONS else dimensions


def _unnamed(service: str) -> bool:
    """The name an SDK makes up where nobody set one."""
    return service.startswith("unknown_service")


def json_emitter(name: str, version: str) -> Emitter:
    """``emitter_of`` for OTLP/JSON."""
    scope = otlp_lite.Scope(name=name.encode("utf-8", "replace"), version=version.encode("utf-8", "replace"))
    return emitter_of(scope.SerializeToString())


def json_sender(attributes: list[JsonAttribute]) -> Sender:
    """``sender_of`` for OTLP/JSON."""
    said: dict[str, str] = {}
    for attribute in attributes:
        name = _RESOURCE_KINDS.get(attribute.key.encode("utf-8", "replace"))
        read = json_any(attribute.value) if name else None
        text = text_of(*read, TEXT_CAPS["session"]) if read else None
        if name and text:
            said.setdefault(name, text)
    return sender_from(said)
