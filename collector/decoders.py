"""Which function reads which body: one table for the collector and for its decoding process."""

from typing import Protocol

from collector.decode import Decoded, decode_traces, decode_traces_json
from collector.log_events import decode_logs, decode_logs_json
from collector.otlp_status import Encoding, Signal


class Decode(Protocol):
    """Bytes to spans of ``tenant``. Raises ``Undecodable`` when not one span can be salvaged."""

    def __call__(self, body: bytes, tenant: str, received_ns: int) -> Decoded: ...


DECODERS: dict[tuple[Signal, Encoding], Decode] = {
    (Signal.TRACES, Encoding.PROTOBUF): decode_traces,
    (Signal.TRACES, Encoding.JSON): decode_traces_json,
    (Signal.LOGS, Encoding.PROTOBUF): decode_logs,
    (Signal.LOGS, Encoding.JSON): decode_logs_json,
}
