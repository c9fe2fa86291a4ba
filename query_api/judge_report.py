"""How the judge of this process fares, for health and for metrics; nothing about anyone's spend."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from query_api.exchange import Ask
from query_api.exposition import Family, Sample
from query_api.judging import Judging, PassState

STALE = timedelta(seconds=60)
"""A leader with a pass that has not succeeded for so long is unwell."""


class JudgeReport:
    """What one process tells of its judge."""

    def __init__(self, judging: Judging) -> None:
        self._judging = judging

    def component(self) -> dict[str, object]:
        """A component of health: DOWN where this process leads and a pass keeps failing."""
        judging = self._judging
        stale = any(self._age(state) > STALE.total_seconds() for state in judging.states)
        passes = {state.name: _pass(state) for state in judging.states}
        details: dict[str, object] = {"leads": judging.leads, "passes": passes}
        return {"status": "DOWN" if judging.leads and stale else "UP", "details": details}

    async def families(self, ask: Ask) -> list[Family]:
        """Metric families, each pass with a label of its own."""
        judging = self._judging
        states = [((("pass", state.name),), state) for state in judging.states]
        seconds = [
            Sample(suffix, labels, value)
            for labels, state in states
            for suffix, value in (("_count", state.runs), ("_sum", _decimal(state.seconds)))
        ]
        failures = [Sample("_total", labels, state.failures) for labels, state in states]
        ages = [Sample("", labels, _decimal(self._age(state))) for labels, state in states if judging.leads]
        leader = [Sample("", (), int(judging.leads))]
        return [
            Family("finops_judge_leader", "gauge", "1 where this process is the judge.", leader),
            Family("finops_judge_pass_seconds", "summary", "Passes of the judge in this process.", seconds),
            Family("finops_judge_pass_failures", "counter", "Passes that failed or were cut off.", failures),
            Family("finops_judge_pass_age_seconds", "gauge", "Since a pass of the leader last succeeded.", ages),
        ]

    def _age(self, state: PassState) -> float:
        return self._judging.age_seconds(state) or 0.0


def _pass(state: PassState) -> dict[str, Any]:
    return {"runs": state.runs, "failures": state.failures, "lastSuccess": state.succeeded_at, "fault": state.fault}


def _decimal(seconds: float) -> Decimal:
    return Decimal(format(seconds, ".6f"))
