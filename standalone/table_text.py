"""Figures as a table for a terminal: columns that line up, bold and coloured only where a terminal shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Ink:
    """Colour for a terminal, nothing for anything else."""

    coloured: bool

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.coloured else text

    def good(self, text: str) -> str:
        return f"\x1b[32m{text}\x1b[0m" if self.coloured else text

    def bad(self, text: str) -> str:
        return f"\x1b[31m{text}\x1b[0m" if self.coloured else text


def ink_of(out: TextIO, environment: Mapping[str, str]) -> Ink:
    """Colour where ``out`` is a terminal and nobody said NO_COLOR."""
    return Ink(coloured=out.isatty() and not environment.get("NO_COLOR"))


def table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], ink: Ink, text_columns: Sequence[int] = (0,)
) -> str:
    """The title, a line of headings, and the rows; numbers to the right, ``text_columns`` to the left."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column in text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    if not rows:
        return ink.bold(title)
    return "\n".join([ink.bold(title), line(headings), "  ".join("-" * width for width in widths), *map(line, rows)])
