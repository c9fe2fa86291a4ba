"""What was decoded as bytes, between two processes of one collector; never stored, never from outside.

Plain tuples in ``marshal``, which writes a word that many spans share once. On the other side they share it again, and
who their spans belong to with it.
"""

import marshal
from typing import Any, Final

from collector.decode import Decoded
from finops.spans import NO_DIMENSIONS, Dimensions, Rejected, SpanClass, SpanRecord
from finops.usage import TokenUsage

_CLASSES: Final = list(SpanClass)
_new = tuple.__new__
"""Makes a named tuple without naming its fields: half the time."""


def pack(decoded: Decoded) -> bytes:
    """Its bytes."""
    records = [_plain(record) for record in decoded.records]
    return marshal.dumps((records, [tuple(refused) for refused in decoded.rejected]))


def _plain(record: SpanRecord) -> tuple[object, ...]:
    (
        tenant, trace_id, span_id, parent_id, kind, start_ns, end_ns, name, scope, dialect, own, resource, service,
        operation, provider, request_model, response_model, response_id, usage, usage_detail, tool, agent_run,
        cache_hit, tier, batch, error, reported, flags,
    ) = record  # fmt: skip
    return (
        tenant, trace_id, span_id, parent_id, int(kind), start_ns, end_ns, name, scope, dialect,
        None if own is NO_DIMENSIONS else tuple(own), None if resource is NO_DIMENSIONS else tuple(resource), service,
        operation, provider, request_model, response_model, response_id, None if usage is None else tuple(usage),
        usage_detail, tool, agent_run, cache_hit, tier, batch, error, reported, flags,
    )  # fmt: skip


def unpack(parcel: bytes) -> Decoded:
    """What ``pack`` was given."""
    records, rejected = marshal.loads(parcel)
    owners: _Owners = {None: NO_DIMENSIONS}
    return Decoded([_record(plain, owners) for plain in records], [_new(Rejected, refused) for refused in rejected])


_Owners = dict[tuple[str | None, ...] | None, Dimensions]


def _owner(said: tuple[str | None, ...], owners: _Owners) -> Dimensions:
    found = owners[said] = _new(Dimensions, said)
    return found


def _record(plain: tuple[Any, ...], owners: _Owners) -> SpanRecord:
    (
        tenant, trace_id, span_id, parent_id, kind, start_ns, end_ns, name, scope, dialect, own, resource, service,
        operation, provider, request_model, response_model, response_id, usage, usage_detail, tool, agent_run,
        cache_hit, tier, batch, error, reported, flags,
    ) = plain  # fmt: skip
    return _new(SpanRecord, (
        tenant, trace_id, span_id, parent_id, _CLASSES[kind], start_ns, end_ns, name, scope, dialect,
        owners.get(own) or _owner(own, owners), owners.get(resource) or _owner(resource, owners), service,
        operation, provider, request_model, response_model, response_id,
        None if usage is None else _new(TokenUsage, usage), usage_detail, tool, agent_run, cache_hit, tier, batch,
        error, reported, flags,
    ))  # fmt: skip
