"""The recordings of real instrumentation libraries, read from their archive: exports as sent, and what was billed."""

import io
import json
import lzma
import tarfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ARCHIVE = Path(__file__).parent / "testdata" / "corpus.tar.xz"


class Scenario(NamedTuple):
    """One recording."""

    library: str
    name: str
    traces: tuple[bytes, ...]
    """ExportTraceServiceRequest messages in the order received."""
    logs: tuple[bytes, ...]
    truth: dict[str, Any]
    """What the model server billed (truth.json)."""

    @property
    def id(self) -> str:
        """library/scenario."""
        return f"{self.library}/{self.name}"


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Every recording, by library and name."""
    found: dict[tuple[str, str], dict[str, bytes]] = {}
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(ARCHIVE.read_bytes()))) as archive:
        for member in archive:
            parts = member.name.split("/")
            content = archive.extractfile(member) if member.isfile() and len(parts) > 3 else None
            if content is not None:
                found.setdefault((parts[1], parts[2]), {})["/".join(parts[3:])] = content.read()
    return tuple(_scenario(*key, files) for key, files in sorted(found.items()))


def _scenario(library: str, name: str, files: dict[str, bytes]) -> Scenario:
    traces = tuple(files[path] for path in sorted(files) if path.startswith("traces/"))
    logs = tuple(files[path] for path in sorted(files) if path.startswith("logs/"))
    return Scenario(library, name, traces, logs, json.loads(files["truth.json"]))


def libraries() -> list[str]:
    """The libraries, with versions."""
    return sorted({scenario.library for scenario in scenarios()})
