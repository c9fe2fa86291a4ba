"""Metric families as Micrometer's Prometheus registry prints them, in the plain and the OpenMetrics format."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple

PLAIN = "text/plain;version=0.0.4;charset=utf-8"
OPEN_METRICS = "application/openmetrics-text;version=1.0.0;charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One line."""

    suffix: str
    labels: Labels
    value: Decimal | int


class Family(NamedTuple):
    """One family; ``name`` is without ``_total``."""

    name: str
    kind: str
    """counter, gauge or summary."""
    help: str
    samples: Sequence[Sample]

    def names(self) -> set[str]:
        """Every name it can be asked for by."""
        return {self.name, f"{self.name}_total" if self.kind == "counter" else self.name} | {
            self.name + sample.suffix for sample in self.samples
        }


def page(families: Sequence[Family], included: Collection[str] | None, *, open_metrics: bool) -> bytes:
    """The page of the families that are included (None: all), in alphabetical order."""
    lines: list[str] = []
    for family in sorted(families, key=lambda family: family.name):
        if included is None or not family.names().isdisjoint(included):
            lines += _family(family, open_metrics)
    if open_metrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _family(family: Family, open_metrics: bool) -> list[str]:
    title = family.name if open_metrics or family.kind != "counter" else f"{family.name}_total"
    head = [f"# HELP {title} {_escaped(family.help)}", f"# TYPE {title} {family.kind}"]
    return head + [_sample(family.name, sample) for sample in family.samples]


def _sample(name: str, sample: Sample) -> str:
    labels = ",".join(f'{label}="{_escaped(value, quoted=True)}"' for label, value in sample.labels)
    return f"{name}{sample.suffix}{'{' + labels + '}' if labels else ''} {_value(sample)}"


def _value(sample: Sample) -> str:
    text = format(Decimal(sample.value), "f")
    return text if "." in text or sample.suffix == "_count" else f"{text}.0"


def _escaped(text: str, *, quoted: bool = False) -> str:
    found = text.replace("\\", "\\\\").replace("\n", "\\n")
    return found.replace('"', '\\"') if quoted else found
