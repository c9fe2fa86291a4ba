"""CSV as RFC 4180 has it, in pieces, and harmless in a spreadsheet: no cell of text can begin a formula."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
_BEGINS_A_FORMULA = frozenset("=+-@\t\r\n|%＝＋－＠")
"""With one of these in front, spreadsheets compute; the last ones are their full-width forms."""


def csv_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """Some rows as text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[cell(value) for value in row] for row in rows])
    return text.getvalue().encode("utf-8", "replace")


def cell(value: object) -> str | int:
    """One cell. Numbers have all their digits; instants are RFC 3339 in UTC; what is not known is empty."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return value
        case str():
            return defused(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case _:
            return json_cell(value)


def json_cell(value: object) -> str:
    """What is no single value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def defused(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes in front of what would begin one."""
    return f"'{text}" if text and (text[0] in _BEGINS_A_FORMULA or text.lstrip()[:1] in _BEGINS_A_FORMULA) else text
