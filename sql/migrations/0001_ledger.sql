-- The ledger: what was seen (spans), what it cost (entries, append-only), and what the sliding windows need.

create table append_heads (
    shard smallint primary key,
    seq bigint not null default 0,
    writer uuid
);
comment on table append_heads is
    'One row a shard of tenants. Locking the row is the right to append for those tenants; writer tells a collector '
    'whether what it remembers of open traces is still all there is.';
insert into append_heads (shard) select generate_series(0, 63);

create table spans (
    tenant text not null,
    trace_id bytea not null check (octet_length(trace_id) = 16),
    span_id bytea not null check (octet_length(span_id) = 8),
    parent_id bytea not null check (octet_length(parent_id) in (0, 8)),
    class smallint not null,
    event_time timestamptz not null,
    arrived_at timestamptz not null,
    facts jsonb,
    scope text not null default '',
    id_key bytea,
    twin_key bytea,
    verdict text not null,
    reason text not null default '',
    revision integer not null default 0,
    posted bytea,
    would_cost_pico bigint,
    primary key (tenant, trace_id, span_id)
);
comment on table spans is
    'Working memory of the counting rule: every span of a trace that may hold generative-AI work. No money is summed '
    'from here; rows may be updated and are dropped after the late window.';
comment on column spans.facts is 'What the span says of itself after normalization; never prompt or answer text. Null for plain links.';
comment on column spans.id_key is 'Joins the copies of one call by the id of the provider''s answer.';
comment on column spans.twin_key is 'Joins the copies of one call that carry no common id: same counts, overlapping time.';
comment on column spans.verdict is 'billed, duplicate, repeatsChildren, cacheHit, error, fetched, agentRun, toolCall, ...';
comment on column spans.revision is 'Number of ledger entries made for this span so far.';
comment on column spans.posted is 'Digests of the posting that stands in entries under this revision, and of what its price depends on.';
comment on column spans.would_cost_pico is 'What a naive sum would have added for this span, in pico-USD.';
create index spans_id_key on spans (tenant, id_key) where id_key is not null;
create index spans_twin_key on spans (tenant, twin_key, scope, event_time) where twin_key is not null;
create index spans_arrived_at on spans using brin (arrived_at);

create table call_scopes (
    tenant text not null,
    scope text not null,
    without_id boolean not null,
    primary key (tenant, scope)
);
comment on table call_scopes is 'Instrumentation scopes that have reported calls; where there is one, no call has a copy.';
comment on column call_scopes.without_id is 'Some of its calls carried no id of the provider''s answer.';

create table entries (
    event_time timestamptz not null,
    tenant text not null,
    trace_id bytea not null,
    span_id bytea not null,
    revision integer not null,
    recorded_at timestamptz not null default now(),
    org_id text not null,
    team_id text not null,
    agent_id text not null,
    session_id text not null,
    user_id text not null,
    environment text not null,
    service text not null,
    provider text not null,
    model_id text not null,
    operation text not null,
    calls integer not null,
    agent_runs integer not null,
    tool_calls integer not null,
    input_tokens bigint not null,
    cached_input_tokens bigint not null,
    cache_write_tokens bigint not null,
    cache_write_1h_tokens bigint not null,
    output_tokens bigint not null,
    reasoning_tokens bigint not null,
    cost_pico bigint,
    unpriced_calls integer not null,
    unmetered_calls integer not null,
    cache_hits integer not null,
    cacheable_calls integer not null,
    saved_tokens bigint not null,
    semantic_savings_pico bigint not null,
    prompt_savings_pico bigint not null,
    reported_cost_pico bigint,
    rate_version bigint,
    detail jsonb,
    primary key (event_time, tenant, trace_id, span_id, revision)
);
comment on table entries is
    'The ledger, append-only: a call, an agent run or a tool call; a correction is a reversing entry (all counts '
    'negative) at the original time and a new one. Empty text means: not said.';
comment on column entries.cost_pico is 'pico-USD (1e-12 USD); null: unknown, never zero.';
comment on column entries.unpriced_calls is 'Calls of this entry that cost_pico leaves out.';
comment on column entries.unmetered_calls is 'Calls whose usage the sender never stated.';
comment on column entries.prompt_savings_pico is 'Saved by the provider''s prompt cache, net of the premium on cache writes; may be negative.';
comment on column entries.detail is 'How the price was made: lines per token kind, rate, match rule, tier, flags.';
create index entries_session on entries (session_id, event_time);
create index entries_unmetered on entries (event_time) where unmetered_calls > 0;

create table session_slots (
    org_id text not null,
    session_id text not null,
    agent_id text not null,
    slot timestamptz not null,
    calls integer not null,
    cost_pico numeric not null,
    unpriced_calls integer not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    primary key (org_id, session_id, agent_id, slot)
);
comment on table session_slots is 'Spend per session in slots of ten seconds of event time; the sliding windows are sums over it.';
create index session_slots_slot on session_slots (slot);

create table suspense (
    id bigint generated always as identity primary key,
    arrived_at timestamptz not null default now(),
    tenant text not null,
    trace_id bytea,
    span_id bytea,
    reason text not null,
    detail text not null
);
comment on table suspense is 'Spans that could not be believed, with the reason; nothing disappears unseen.';

create table intake (
    day date not null,
    tenant text not null,
    outcome text not null,
    spans bigint not null,
    primary key (day, tenant, outcome)
);
comment on table intake is 'How many spans arrived and what became of them: received = posted + redelivered + suspense + ignored.';
