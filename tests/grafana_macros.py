"""What Grafana makes of a panel's SQL before the database sees it: variables, then macros, as its PostgreSQL part does.

A macro's argument ends at the first closing parenthesis, ``$__timeGroup`` becomes ``time_bucket`` where the datasource
says TimescaleDB and arithmetic on epochs elsewhere, and a macro that is not known is an error.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)\]\]")
_MACRO = re.compile(r"\$(__[a-zA-Z]+)(?:\(([^)]*)\))?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def expand(sql: str, start: datetime, end: datetime, variables: Mapping[str, Sequence[str]], *, timescale: bool) -> str:
    """The statement that is sent. Raises ``ValueError`` for a macro or a format that Grafana does not know."""

    def variable(match: re.Match[str]) -> str:
        if match[2] != "sqlstring":
            raise ValueError(f"{match[0]} in SQL wants the format sqlstring")
        return ",".join("'" + value.replace("'", "''") + "'" for value in variables[match[1]])

    def macro(match: re.Match[str]) -> str:
        arguments = [part.strip() for part in (match[2] or "").split(",")]
        return _macro(match[1], arguments, start, end, timescale)

    return _MACRO.sub(macro, _VARIABLE.sub(variable, sql))


def _macro(name: str, arguments: Sequence[str], start: datetime, end: datetime, timescale: bool) -> str:
    match name:
        case "__timeFilter":
            return f"{arguments[0]} BETWEEN '{_rfc3339(start)}' AND '{_rfc3339(end)}'"
        case "__timeFrom":
            return f"'{_rfc3339(start)}'"
        case "__timeTo":
            return f"'{_rfc3339(end)}'"
        case "__time":
            return f'{arguments[0]} AS "time"'
        case "__timeGroup":
            seconds = _seconds(arguments[1])
            if timescale:
                return f"time_bucket('{seconds:.3f}s',{arguments[0]})"
            return f"floor(extract(epoch from {arguments[0]})/{seconds:g})*{seconds:g}"
        case "__timeGroupAlias":
            return f'{_macro("__timeGroup", arguments, start, end, timescale)} AS "time"'
    raise ValueError(f"unknown macro ${name}")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"'?(\d+)([smhdw])'?", text)
    if match is None:
        raise ValueError(f"{text} is no interval")
    return float(match[1]) * _UNITS[match[2]]


def _rfc3339(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
