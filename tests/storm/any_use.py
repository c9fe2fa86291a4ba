"""Any use of a whole installation, in any order, against a model of it in a dictionary.

Two real collectors and a real query API over one PostgreSQL. Each run has an organisation and models of its own, so
that thousands of runs share one ledger. The model knows calls, rates and integers, and nothing of how we count.
"""

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import grpc
import httpx2
import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from storm.storm_processes import Collector, QueryApi
from storm.storm_senders import CHANNEL_OPTIONS, EXPORT

PICO = 10**12
DAYS = 12
MODELS, AGENTS, SESSIONS = range(3), range(3), range(4)
AGES = (0, 1, 16, 90, 26 * 60, 9 * 24 * 60, -3, -30)
"""Minutes from the end of a call to its sending; one that ends half an hour from now is dated at its arrival."""


class Call(NamedTuple):
    """What was sent."""

    trace_id: bytes
    span_id: bytes
    model: int
    agent: int
    session: int
    input_tokens: int
    output_tokens: int
    end_ns: int
    day: str
    """On which it counts, in UTC."""


class Used(NamedTuple):
    """What stands, of one row."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_pico: int | None
    unpriced: int


class Installation(NamedTuple):
    """The processes."""

    collectors: tuple[Collector, Collector]
    api: QueryApi


RESTARTS_IN = 12
"""Of so many chances of a restart one is taken: it takes a second."""
WORDS = (signal.SIGKILL, signal.SIGTERM)
OTHERS = ("/burn-rates/active", "/anomalies/active", "/forecast", "/roi-stats", "/cache-impact", "/coverage")
"""Asked without a look at what they say."""
Stated = tuple[int, int]
"""Pico-USD a token, input and output."""


class AnyUse(RuleBasedStateMachine):
    """One organisation's life. ``installation`` is set by whoever runs it."""

    installation: Installation
    runs = 0
    exports = 0
    compared = 0
    restarts = 0
    restarting = True

    def __init__(self) -> None:
        super().__init__()
        AnyUse.runs += 1
        self.name = f"org-{os.urandom(6).hex()}"
        self.calls: dict[bytes, Call] = {}
        self.cost: dict[bytes, int | None] = {}
        """Pico-USD that stand, by span id."""
        self.sent: list[list[Call]] = []
        self.rates: dict[int, Stated] = {}
        self.erased: set[int] = set()
        self.has_budget = False

    @initialize()
    def begin(self) -> None:
        """The channels."""
        self._channels = [grpc.insecure_channel(each.address, CHANNEL_OPTIONS) for each in self.installation.collectors]

    def teardown(self) -> None:
        """Hang up."""
        for channel in getattr(self, "_channels", ()):
            channel.close()

    @rule(
        made=st.lists(
            st.tuples(
                st.sampled_from(MODELS), st.sampled_from(AGENTS), st.sampled_from(SESSIONS), st.integers(0, 90_000),
                st.integers(1, 5_000), st.sampled_from(AGES),
            ), min_size=1, max_size=6,
        ),
        replica=st.integers(0, 1),
        twice=st.booleans(),
    )  # fmt: skip
    def send(self, made: list[tuple[int, ...]], replica: int, twice: bool) -> None:
        """New calls, perhaps twice, at either door."""
        now = datetime.now(UTC)
        export = []
        for model, agent, session, given, answered, age in made:
            if session in self.erased:
                continue
            end = now - timedelta(minutes=age)
            ids, end_ns = (os.urandom(16), os.urandom(8)), int(end.timestamp() * 1e6) * 1000
            day = f"{now if end > now + timedelta(minutes=5) else end:%Y-%m-%d}"
            export.append(Call(*ids, model, agent, session, given, answered, end_ns, day))
        if not export:
            return
        self._deliver(export, replica)
        for call in export:
            self.calls[call.span_id] = call
            self.cost[call.span_id] = priced(call, self.rates.get(call.model))
        self.sent.append(export)
        if twice:
            self._deliver(export, 1 - replica)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), replica=st.integers(0, 1))
    def send_again(self, data: st.DataObject, replica: int) -> None:
        """Something from before, whole or in part."""
        export = data.draw(st.sampled_from(self.sent))
        self._deliver(export[: data.draw(st.integers(1, len(export)))], replica)

    @rule(model=st.sampled_from(MODELS), stated=st.tuples(st.integers(1, 99), st.integers(1, 999)))
    def put_rate(self, model: int, stated: Stated) -> None:
        """Holds for what is sent from now on, and for what has no price yet."""
        self.rates[model] = (stated[0] * 10**6, stated[1] * 10**6)
        per_k = {"inputRatePerKTokens": stated[0] / 1000, "outputRatePerKTokens": stated[1] / 1000}
        self._ask("PUT", "/valuation-rates", json={"modelId": self.model_of(model), **per_k})
        for span_id, call in self.calls.items():
            if call.model == model and self.cost[span_id] is None:
                self.cost[span_id] = priced(call, self.rates[model])

    @precondition(lambda self: self.rates)
    @rule(model=st.sampled_from(MODELS))
    def reprice(self, model: int) -> None:
        """The past at the rates that hold now; nothing else ever moves it."""
        body = {"from": from_text(), "to": to_text(), "orgId": self.name, "modelId": self.model_of(model)}
        self._ask("POST", "/valuation-rates/reprice", json={**body, "priceSource": "current", "apply": True})
        for span_id, call in self.calls.items():
            if call.model == model:
                self.cost[span_id] = priced(call, self.rates.get(model))

    @rule(agent=st.sampled_from(AGENTS), usd=st.integers(1, 50))
    def set_baseline_and_budget(self, agent: int, usd: int) -> None:
        """Changes no sum."""
        path = f"/baselines/agent-{agent}"
        self._ask("PUT", path, params={"orgId": self.name}, json={"baselineUsdPerHour": usd})
        if not self.has_budget:
            self.has_budget = True
            scope = {"orgId": self.name, "agentId": f"agent-{agent}"}
            self._ask("POST", "/budgets", json={"name": self.name, "limitUsd": usd, "period": "month", "scope": scope})

    @precondition(lambda self: self.calls)
    @rule(session=st.sampled_from(SESSIONS))
    def erase(self, session: int) -> None:
        """The name goes; what it spent stays."""
        if session not in self.erased and any(call.session == session for call in self.calls.values()):
            body = {"orgId": self.name, "sessionId": self.session_of(session), "apply": True, "reason": "a test"}
            self._ask("POST", "/erasures", json=body)
            self.erased.add(session)

    @precondition(lambda self: self.restarting)
    @rule(replica=st.integers(0, 1), chance=st.integers(1, RESTARTS_IN), word=st.sampled_from(WORDS))
    def restart(self, replica: int, chance: int, word: signal.Signals) -> None:
        """A collector is killed or told to end, and comes back knowing nothing."""
        if chance == RESTARTS_IN:
            AnyUse.restarts += 1
            self.installation.collectors[replica].end(word)
            self.installation.collectors[replica].start()

    @invariant()
    def agents_are_exact(self) -> None:
        """By agent, and by day and agent."""
        if not self.calls:
            return
        AnyUse.compared += 1
        rows = self._rows("/allocations")
        assert {row["agentId"]: used(row) for row in rows} == self._model(lambda call: f"agent-{call.agent}")
        rows = self._rows("/trends")
        found = {(row["date"], row["agentId"]): used(row) for row in rows}
        assert found == self._model(lambda call: (call.day, f"agent-{call.agent}"))

    @precondition(lambda self: self.calls)
    @rule()
    def read_sessions(self) -> None:
        """Each session by itself, and all together by model."""
        for session in {call.session for call in self.calls.values()} - self.erased:
            answer = self._ask("GET", f"/sessions/{self.session_of(session)}", params={"orgId": self.name})
            expected = self._model(lambda call: call.session)[session]
            assert used(answer) == expected
        answer = self._ask(
            "GET", "/costs", params={"orgId": self.name, "groupBy": "model", "window": f"{DAYS}d", "limit": "100"}
        )
        assert {row["modelId"]: used(row) for row in answer["items"]} == self._model(
            lambda call: self.model_of(call.model)
        )
        for path in OTHERS:
            self._ask("GET", path, params={"orgId": self.name})

    def model_of(self, model: int) -> str:
        """As it is sent: of this run alone."""
        return f"{self.name}-model-{model}"

    def session_of(self, session: int) -> str:
        """As it is sent."""
        return f"{self.name}-session-{session}"

    def _model(self, key: Callable[[Call], Any]) -> dict[Any, Used]:
        found: dict[Any, Used] = {}
        for span_id, call in self.calls.items():
            cost = self.cost[span_id]
            one = Used(1, call.input_tokens, call.output_tokens, cost, cost is None)
            before = found.get(key(call), Used(0, 0, 0, None, 0))
            known = [each.cost_pico for each in (before, one) if each.cost_pico is not None]
            found[key(call)] = Used(
                before.calls + 1, before.input_tokens + one.input_tokens, before.output_tokens + one.output_tokens,
                sum(known) if known else None, before.unpriced + one.unpriced,
            )  # fmt: skip
        return found

    def _rows(self, path: str) -> list[dict[str, Any]]:
        return self._ask("GET", path, params={"orgId": self.name, "days": str(DAYS)})  # type: ignore[no-any-return]

    def _ask(self, method: str, path: str, **words: Any) -> Any:
        answer: httpx2.Response = self.installation.api.client.request(method, path, **words)
        assert answer.is_success, (method, path, words, answer.status_code, answer.text)
        return decoded(answer.content)

    def _deliver(self, export: list[Call], replica: int) -> None:
        AnyUse.exports += 1
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        for key, value in (("service.name", "shop"), ("finops.org", self.name)):
            group.resource.attributes.add(key=key).value.string_value = value
        scope = group.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.openai_v2"
        scope.spans.extend(self._span(call) for call in export)
        self._channels[replica].unary_unary(EXPORT)(request.SerializeToString(), timeout=30, wait_for_ready=True)

    def _span(self, call: Call) -> Span:
        span = Span(trace_id=call.trace_id, span_id=call.span_id, name="chat")
        span.start_time_unix_nano, span.end_time_unix_nano = call.end_ns - 10**9, call.end_ns
        for key, text in (
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "nobody"),
            ("gen_ai.request.model", self.model_of(call.model)),
            ("gen_ai.agent.name", f"agent-{call.agent}"),
            ("gen_ai.conversation.id", self.session_of(call.session)),
        ):
            span.attributes.add(key=key).value.string_value = text
        counts = ("gen_ai.usage.input_tokens", call.input_tokens), ("gen_ai.usage.output_tokens", call.output_tokens)
        for key, count in counts:
            span.attributes.add(key=key).value.int_value = count
        return span


def priced(call: Call, stated: Stated | None) -> int | None:
    """Pico-USD."""
    return None if stated is None else call.input_tokens * stated[0] + call.output_tokens * stated[1]


def used(row: dict[str, Any]) -> Used:
    """What a row of an answer says."""
    cost = row["costUsd"]
    pico = None if cost is None else int(Decimal(cost) * PICO)
    return Used(row["calls"], row["inputTokens"], row["outputTokens"], pico, row["unpricedCalls"])


def decoded(content: bytes) -> Any:
    """JSON with its numbers exact."""
    return msgspec.json.Decoder(float_hook=Decimal).decode(content)


def from_text() -> str:
    """The beginning of everything that is sent here."""
    return (datetime.now(UTC) - timedelta(days=DAYS)).isoformat()


def to_text() -> str:
    """Its end."""
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()
