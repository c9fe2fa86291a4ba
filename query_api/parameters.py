"""Query parameters: which an endpoint knows, what they may say, and every fault of a request at once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from finops.agent_names import agent_name
from finops.cost_questions import GROUPS
from finops.periods import DAYS_DEFAULT, DAYS_MAX, DAYS_MIN, Period, UnknownZone, trailing_days, zone_named
from finops.reports import Filters
from finops.time_windows import MEANING, STEPS
from query_api.problems import Fault, bad_request
from query_api.shapes import Schema

VALUES_MAX = 100
"""Values of one repeatable parameter."""
LENGTH_MAX = 1024
"""Characters of one value."""

Values = Mapping[str, Any]


class Parameter(NamedTuple):
    """One query parameter. ``read`` turns its text into a value or raises ``ValueError`` with the reason."""

    name: str
    read: Callable[[str], object]
    schema: Schema
    meaning: str
    default: object = None
    repeatable: bool = False


def _text(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character U+0000")
    if len(text) > LENGTH_MAX:
        raise ValueError(f"must not be longer than {LENGTH_MAX} characters")
    return text


def _agent(text: str) -> str:
    return agent_name(_text(text))


def _days(text: str) -> int:
    allowed = f"must be a whole number from {DAYS_MIN} to {DAYS_MAX}"
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise ValueError(allowed)
    if not DAYS_MIN <= int(text) <= DAYS_MAX:
        raise ValueError(allowed)
    return int(text)


def _zone(text: str) -> str:
    try:
        return zone_named(text).key
    except UnknownZone:
        raise ValueError("must be the IANA name of a time zone, such as Europe/Berlin") from None


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of the words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read


def _true(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


_STRING: Schema = {"type": "string"}
_DAYS: Schema = {"type": "integer", "minimum": DAYS_MIN, "maximum": DAYS_MAX}

DAYS = Parameter("days", _days, _DAYS | {"default": DAYS_DEFAULT}, "Calendar days ending today", DAYS_DEFAULT)
DAYS_OR_START = Parameter("days", _days, _DAYS, "A trailing window instead of since the last start")
ZONE = Parameter("tz", _zone, _STRING | {"default": "UTC"}, "IANA time zone the days are counted in", "UTC")
STEP = Parameter(
    "step", one_of("hour", "day"), _STRING | {"enum": ["hour", "day"], "default": "day"}, "Length of a step", "day"
)
ORG = Parameter("orgId", _text, _STRING, "Only these organisations", None, True)
AGENT = Parameter("agentId", _agent, _STRING, "Only these agents", None, True)
MODEL = Parameter("modelId", _text, _STRING, "Only these models", None, True)
ENVIRONMENT = Parameter("environment", _text, _STRING, "Only these environments", None, True)
PROVIDER = Parameter("provider", _text, _STRING, "Only these providers", None, True)
SOURCE = Parameter("source", _text, _STRING, "Only rates of these sources", None, True)
IN_USE = Parameter("inUse", _true, {"type": "boolean"}, "Only models seen in the ledger", False)
ONE_ORG = Parameter("orgId", _text, _STRING, "The organisation; left out: every one without its own")
FAMILIES = Parameter("includedNames", _text, _STRING, "Only these metric families", None, True)


def _groups(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(","))) if text else ()
    if not set(names) <= set(GROUPS):
        raise ValueError(f"must be some of {', '.join(GROUPS)}, with commas between")
    return names


_GROUP = f"({'|'.join(GROUPS)})"
_STRINGS: Schema = _STRING | {"pattern": f"^({_GROUP}(,{_GROUP})*)?$"}
GROUP_BY = Parameter("groupBy", _groups, _STRINGS, "What to group by, with commas between", ())
WINDOW = Parameter("window", _text, _STRING | {"default": "7d", "examples": ["today", "lastmonth"]}, MEANING, "7d")
STEP_OR_NONE = Parameter("step", one_of(*STEPS), _STRING | {"enum": list(STEPS)}, "Left out: one row a group")
ORDER = Parameter(
    "order",
    one_of("cost", "name"),
    _STRING | {"enum": ["cost", "name"], "default": "cost"},
    "Within a step: the dearest first, or by name, so that pages miss nothing while spend arrives",
    "cost",
)
CURSOR_TEXT = Parameter("cursor", str, _STRING, "The nextCursor of the page before")

SESSION = Parameter("sessionId", _text, _STRING, "Only these sessions", None, True)
OPEN_OR_CLOSED = Parameter(
    "state",
    lambda text: one_of("open", "closed")(text) == "open",
    _STRING | {"enum": ["open", "closed"]},
    "Only these",
)

FILTERS = (ORG, AGENT, MODEL, ENVIRONMENT)
PAGE_STATE = tuple(
    Parameter(name, _text, _STRING, "What the page shows; read by the page itself", None, True)
    for name in ("view", "id", "stack", "days", "tz", "agentId", "modelId", "orgId")
)
PERIOD = (DAYS, ZONE)


def read_query(known: Sequence[Parameter], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The value of every known parameter; raises a 400 problem with all faults."""
    by_name = {parameter.name: parameter for parameter in known}
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    faults = [Fault("query", name, _unknown(by_name)) for name in given if name not in by_name]
    values: dict[str, Any] = {}
    for parameter in known:
        try:
            values[parameter.name] = _value(parameter, given.get(parameter.name, []))
        except ValueError as fault:
            faults.append(Fault("query", parameter.name, str(fault)))
    if faults:
        raise bad_request(faults)
    return values


def _value(parameter: Parameter, texts: Sequence[str]) -> object:
    if not texts:
        return parameter.default
    if parameter.repeatable:
        if len(texts) > VALUES_MAX:
            raise ValueError(f"must not be given more than {VALUES_MAX} times")
        return tuple(parameter.read(text) for text in texts)
    if len(texts) > 1:
        raise ValueError("must be given once")
    return parameter.read(texts[0])


def _unknown(by_name: Mapping[str, Parameter]) -> str:
    return f"is not a parameter of this path; known: {', '.join(sorted(by_name)) or 'none'}"


def filters_of(values: Values) -> Filters:
    """The four filters; a parameter the endpoint does not have filters nothing."""
    names = ("orgId", "agentId", "modelId", "environment")
    return Filters(*(values.get(name) for name in names))


def period_of(values: Values, now: datetime) -> Period:
    """The asked days in the asked zone."""
    return trailing_days(values["days"], values["tz"], now)
