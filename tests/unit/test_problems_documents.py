"""Problems are RFC 9457 documents that list every fault."""

from http import HTTPStatus

import pytest

from query_api.bodies import BodyReader
from query_api.parameters import AGENT, DAYS, ZONE, read_query
from query_api.problems import Fault, Problem, bad_request, document


def test_a_problem_tells_type_title_status_and_all_faults() -> None:
    problem = bad_request([Fault("query", "days", "must be whole"), Fault("query", "tz", "is unknown")])
    assert document(problem, "/x") == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "days must be whole; tz is unknown",
        "instance": "/x",
        "errors": [
            {"in": "query", "field": "days", "detail": "must be whole"},
            {"in": "query", "field": "tz", "detail": "is unknown"},
        ],
    }
    assert "errors" not in document(Problem(HTTPStatus.NOT_FOUND, "gone"), "/x")


def test_defaults_hold_where_nothing_is_asked() -> None:
    assert read_query((DAYS, ZONE, AGENT), []) == {"days": 7, "tz": "UTC", "agentId": None}
    assert read_query((AGENT,), [("agentId", "a"), ("agentId", "")]) == {"agentId": ("a", "")}


def test_every_parameter_at_fault_is_told_at_once() -> None:
    with pytest.raises(Problem) as raised:
        read_query((DAYS, ZONE), [("days", "0"), ("tz", "Mars"), ("x", "1")])
    assert {fault.name for fault in raised.value.faults} == {"days", "tz", "x"}


def test_too_many_values_are_refused() -> None:
    with pytest.raises(Problem):
        read_query((AGENT,), [("agentId", str(i)) for i in range(101)])


def test_every_field_at_fault_is_told_at_once() -> None:
    body = BodyReader({"a": 1, "flag": 3, "when": "2026-01-01T00:00:00", "more": None})
    body.text("a", required=True)
    body.amount("missing", required=True)
    body.flag("flag")
    body.instant("when")
    with pytest.raises(Problem) as raised:
        body.finish()
    assert raised.value.status == 422
    assert {fault.name for fault in raised.value.faults} == {"a", "missing", "flag", "when", "more"}
