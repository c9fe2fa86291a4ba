"""The peers: what is installed, how each is started as its own pages say, and where it keeps spans, tokens and money.

Words in braces are filled in when one is started: ``bin`` and ``folder`` of its own, its ports ``http`` and ``grpc``,
and ``database``, the address of a PostgreSQL database made for it. ``spans`` asks its own database for the span ids
that it holds. ``totals`` asks for (trace id in hex, input, output, cached, cache-written tokens, cost in USD) of each
trace, in the way its own pages add them up; null where it says nothing.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Door = Literal["grpc", "http"]
Kept = Literal["sqlite", "postgres"]


class Tool(NamedTuple):
    """What is installed."""

    packages: tuple[str, ...]
    """The first names the environment's folder."""
    python: str

    @property
    def name(self) -> str:
        """Of the first package."""
        return self.packages[0].split("==")[0].split("[")[0]


class Peer(NamedTuple):
    """One tool over one kind of database."""

    name: str
    tool: Tool
    """Several peers may be one tool."""
    door: Door
    command: tuple[str, ...]
    kept: Kept
    file: str
    """Of its database, within its folder; nothing for PostgreSQL."""
    spans: str
    totals: str | None
    keeps: str
    """What it stores of a span that we do not."""
    environment: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}


_PHOENIX = Peer(
    name="Phoenix, SQLite",
    tool=Tool(("arize-phoenix[pg]==20.26.1",), "3.11"),
    door="grpc",
    command=("{bin}/phoenix", "serve"),
    kept="sqlite",
    file="phoenix.db",
    spans="select span_id from spans",
    totals="""
        select traces.trace_id, tokens.input, tokens.output, details.cached, details.written, costs.cost
        from traces
        left join (
            select trace_rowid, sum(llm_token_count_prompt) as input, sum(llm_token_count_completion) as output
            from spans where upper(span_kind) = 'LLM' group by 1
        ) tokens on tokens.trace_rowid = traces.id
        left join (
            select trace_rowid, sum(total_cost) as cost from span_costs group by 1
        ) costs on costs.trace_rowid = traces.id
        left join (
            select trace_rowid, sum(case when token_type = 'cache_read' then tokens end) as cached,
                   sum(case when token_type = 'cache_write' then tokens end) as written
            from span_costs join span_cost_details on span_cost_id = span_costs.id group by 1
        ) details on details.trace_rowid = traces.id
    """,
    keeps="whole traces: all attributes, prompts, answers, events",
    environment={
        "PHOENIX_WORKING_DIR": "{folder}",
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": "{http}",
        "PHOENIX_GRPC_PORT": "{grpc}",
        "PHOENIX_TELEMETRY_ENABLED": "false",
    },
)
PEERS: tuple[Peer, ...] = (
    _PHOENIX,
    _PHOENIX._replace(
        name="Phoenix, PostgreSQL",
        kept="postgres",
        file="",
        environment={**_PHOENIX.environment, "PHOENIX_SQL_DATABASE_URL": "{database}"},
    ),
    Peer(
        name="MLflow, SQLite, 4 workers",
        tool=Tool(("mlflow==3.17.2",), "3.11"),
        door="http",
        command=(
            *("{bin}/mlflow", "server", "--host", "127.0.0.1", "--port", "{http}", "--workers", "4"),
            *("--backend-store-uri", "sqlite:///{folder}/mlflow.db", "--default-artifact-root", "{folder}/artifacts"),
        ),
        kept="sqlite",
        file="mlflow.db",
        spans="select span_id from spans",
        totals=(
            "select substr(request_id, -32), "
            "max(case when key = 'input_tokens' then value end), max(case when key = 'output_tokens' then value end), "
            "max(case when key = 'cache_read_input_tokens' then value end), "
            "max(case when key = 'cache_creation_input_tokens' then value end), "
            "max(case when key = 'total_cost' then value end) from trace_metrics group by 1"
        ),
        keeps="whole traces: all attributes, prompts, answers, events",
        environment={"MLFLOW_DISABLE_TELEMETRY": "true"},
        headers={"x-mlflow-experiment-id": "0"},
    ),
    Peer(
        name="AgentMesh, SQLite",
        tool=Tool(("agentmesh-ai[otlp]==0.5.0",), "3.12"),
        door="http",
        command=("{bin}/agentmesh", "--db", "{folder}/agentmesh.db", "dashboard", "--port", "{http}"),
        kept="sqlite",
        file="agentmesh.db",
        spans="select span_id from spans",
        totals=(
            "select trace_id, sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens), sum(cache_write_tokens), "
            "case when sum(cost_status <> 'unknown') > 0 then sum(estimated_cost) end from model_calls group by 1"
        ),
        keeps="whole traces: all attributes, prompts, answers",
    ),
    Peer(
        name="TraceMeter, SQLite",
        tool=Tool(("tracemeter[server,otlp]==0.2.0",), "3.12"),
        door="http",
        command=("{bin}/tracemeter", "serve", "--port", "{http}"),
        kept="sqlite",
        file="tracemeter.db",
        spans="select span_id from spans",
        totals=(
            "select trace_id, sum(json_extract(attributes, '$.\"gen_ai.usage.input_tokens\"')), "
            "sum(json_extract(attributes, '$.\"gen_ai.usage.output_tokens\"')), null, null, "
            "sum(json_extract(attributes, '$.\"tracemeter.cost.usd\"')) from spans group by 1"
        ),
        keeps="all attributes, prompts and answers among them",
        environment={"TRACEMETER_DB_PATH": "{folder}/tracemeter.db"},
    ),
    Peer(
        name="llm-ot-cost-monitor, SQLite",
        tool=Tool(("llm-ot-cost-monitor==1.0.1",), "3.12"),
        door="http",
        command=("{bin}/llm-monitor", "--db", "{folder}/usage.db", "--port", "{http}", "serve"),
        kept="sqlite",
        file="usage.db",
        spans="select span_id from usage",
        totals=(
            "select trace_id, sum(input_tokens), sum(output_tokens), sum(cache_read_input_tokens), "
            "sum(cache_creation_input_tokens), null from usage group by 1"
        ),
        keeps="nothing: model and token counts only, no agent, session or organisation",
    ),
    Peer(
        name="yuutrace, SQLite",
        tool=Tool(("yuutrace==0.3.0",), "3.12"),
        door="http",
        command=("{bin}/ytrace", "server", "--db", "{folder}/yuutrace.db", "--port", "{http}"),
        kept="sqlite",
        file="yuutrace.db",
        spans="select span_id from spans",
        totals=None,
        keeps="all attributes and events",
    ),
)
"""Those whose wheels were found to install; yuutrace counts only events of its own vocabulary, so it has no totals."""
