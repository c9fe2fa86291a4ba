"""Arbitrary bytes for every decoder, led by the branches they take: ``python fuzz_decoders.py <seconds> <directory>``.

Needs atheris, which is nobody's dependency; ends with 0 where nothing but ``Undecodable`` was raised.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["collector"]):
    from collector.decoders import DECODERS
    from collector.otlp_lite import Undecodable

READ = list(DECODERS.values())
RECORDED_MAX = 4096
"""Bytes of a recording to begin with."""


def one(data: bytes) -> None:
    """The first byte chooses the decoder."""
    if data:
        try:
            READ[data[0] % len(READ)](data[1:], "", 10**18)
        except Undecodable:
            return


def begin_with(directory: Path) -> None:
    """Writes short recordings there."""
    from corpus_loader import scenarios

    for number, scenario in enumerate(scenarios()):
        for signal, bodies in enumerate((scenario.traces, scenario.logs)):
            for body in bodies:
                if len(body) < RECORDED_MAX:
                    (directory / f"{number}-{signal}").write_bytes(bytes([2 * signal]) + body)


if __name__ == "__main__":
    seconds, corpus = sys.argv[1], Path(sys.argv[2])
    begin_with(corpus)
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", "-print_final_stats=1", "-max_len=8192", str(corpus)], one
    )
    atheris.Fuzz()
