-- The sums by verdict are left to the trigger.
set local finops.adds_verdicts = off;

-- A small ledger with figures one can add up by hand. "Now" is 2026-03-10 12:00 UTC.
insert into entries (
    event_time, tenant, trace_id, span_id, revision, org_id, team_id, agent_id, session_id, user_id, environment, service,
    provider, model_id, operation, calls, agent_runs, tool_calls, input_tokens, cached_input_tokens, cache_write_tokens,
    cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, cache_hits,
    cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico, reported_cost_pico, rate_version, detail
)
select
    g.event_time, '', decode(g.trace, 'hex'), decode(g.span, 'hex'), g.revision,
    g.org, '', g.agent, g.session, '', g.environment, 'svc', g.provider, g.model, g.operation,
    g.calls, g.runs, g.tools, g.input, g.cached, g.cache_write, 0, g.output, g.reasoning,
    g.cost, g.unpriced, g.unmetered, g.hits, g.cacheable, g.saved, g.semantic, g.prompt, null, g.version, g.detail::jsonb
from (
    values
    -- finance_agent: 0.0035 + 0.6965 = 0.70 USD inside the ten minutes before noon, one dollar twenty minutes before
    ('2026-03-10 11:40:00+00'::timestamptz, repeat('a', 32), repeat('1', 16), 0, 'acme', 'finance_agent', 's-1', 'prod',
        'openai', 'gpt-4o', 'chat', 1, 0, 0, 5000, 0, 0, 900, 0, 1000000000000::bigint, 0, 0, 0, 1, 0, 0::bigint, 0::bigint, 7, null),
    ('2026-03-10 11:55:00+00', repeat('a', 32), repeat('2', 16), 0, 'acme', 'finance_agent', 's-1', 'prod',
        'openai', 'gpt-4o', 'chat', 1, 0, 0, 1000, 400, 100, 200, 50, 3500000000, 0, 0, 0, 1, 0, 0, 500000000, 7,
        '{"lines": [{"kind": "input", "tokens": 500, "rateFemto": 2500000000, "amountPico": 1250000000}]}'),
    ('2026-03-10 11:58:00+00', repeat('a', 32), repeat('3', 16), 0, 'acme', 'finance_agent', 's-1', 'prod',
        'openai', 'gpt-4o', 'chat', 1, 0, 0, 100000, 0, 0, 7000, 0, 696500000000, 0, 0, 0, 1, 0, 0, 0, 7, null),
    ('2026-03-10 11:54:59+00', repeat('a', 32), repeat('4', 16), 0, 'acme', 'finance_agent', 's-1', 'prod',
        '', '', 'invoke_agent', 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, null, null),
    ('2026-03-10 11:56:00+00', repeat('a', 32), repeat('5', 16), 0, 'acme', 'finance_agent', 's-1', 'prod',
        '', '', 'execute_tool', 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, null, null),
    -- support_agent: late on the 9th (the 10th in Berlin), a cache hit on the 10th, a correction on the 8th
    ('2026-03-09 23:50:00+00', repeat('b', 32), repeat('1', 16), 0, 'acme', 'support_agent', 's-2', 'prod',
        'openai', 'gpt-4o-mini', 'chat', 1, 0, 0, 40, 0, 0, 10, 0, 250000000000, 0, 0, 0, 1, 0, 0, 0, 7, null),
    ('2026-03-10 10:05:00+00', repeat('b', 32), repeat('2', 16), 0, 'acme', 'support_agent', 's-2', 'prod',
        'openai', 'gpt-4o-mini', 'chat', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 300, 2000000000, 0, 7, null),
    ('2026-03-08 12:00:00+00', repeat('c', 32), repeat('1', 16), 0, 'acme', 'support_agent', 's-2', 'test',
        'openai', 'gpt-4o-mini', 'chat', 1, 0, 0, 70, 0, 0, 30, 0, 1000000000000, 0, 0, 0, 1, 0, 0, 0, 7, null),
    ('2026-03-08 12:00:00+00', repeat('c', 32), repeat('1', 16), 1, 'acme', 'support_agent', 's-2', 'test',
        'openai', 'gpt-4o-mini', 'chat', -1, 0, 0, -70, 0, 0, -30, 0, -1000000000000, 0, 0, 0, -1, 0, 0, 0, 7, null),
    ('2026-03-08 12:00:00+00', repeat('c', 32), repeat('1', 16), 2, 'acme', 'support_agent', 's-2', 'test',
        'openai', 'gpt-4o-mini', 'chat', 1, 0, 0, 70, 0, 0, 30, 0, 400000000000, 0, 0, 0, 1, 0, 0, 0, 8, null),
    -- another organisation: one call of a model nobody has a price for
    ('2026-03-10 11:59:00+00', repeat('d', 32), repeat('1', 16), 0, 'beta', 'finance_agent', 's-3', '',
        'acme-labs', 'mystery', 'chat', 1, 0, 0, 10, 0, 0, 5, 0, null, 1, 0, 0, 1, 0, 0, 0, null, null),
    -- an agent with an awkward name: one embedding of 0.00002 USD
    ('2026-03-10 11:59:30+00', repeat('e', 32), repeat('1', 16), 0, 'acme', 'search/agent ü%', 's-4', 'prod',
        'openai', 'text-embedding-3-small', 'embeddings', 1, 0, 0, 1000, 0, 0, 0, 0, 20000000, 0, 0, 0, 0, 0, 0, 0, 7, null),
    -- long ago
    ('2026-01-01 00:00:00+00', repeat('f', 32), repeat('1', 16), 0, 'acme', 'finance_agent', 's-0', 'prod',
        'openai', 'gpt-4o', 'chat', 1, 0, 0, 1, 0, 0, 1, 0, 100000000000000, 0, 0, 0, 1, 0, 0, 0, 7, null)
) as g (
    event_time, trace, span, revision, org, agent, session, environment, provider, model, operation,
    calls, runs, tools, input, cached, cache_write, output, reasoning, cost, unpriced, unmetered,
    hits, cacheable, saved, semantic, prompt, version, detail
);

insert into usage_15m
select
    date_bin('15 minutes', event_time, '2000-01-01 00:00:00+00'), org_id, team_id, agent_id, environment, service,
    provider, model_id, operation, sum(calls), sum(agent_runs), sum(tool_calls), sum(input_tokens),
    sum(cached_input_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens),
    coalesce(sum(cost_pico), 0), sum(unpriced_calls), sum(unmetered_calls), sum(cache_hits), sum(cacheable_calls),
    sum(saved_tokens), sum(semantic_savings_pico), sum(prompt_savings_pico)
from entries group by 1, 2, 3, 4, 5, 6, 7, 8, 9;

insert into usage_1d
select
    date_bin('1 day', bucket, '2000-01-01 00:00:00+00'), org_id, team_id, agent_id, environment, service,
    provider, model_id, operation, sum(calls), sum(agent_runs), sum(tool_calls), sum(input_tokens),
    sum(cached_input_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_pico),
    sum(unpriced_calls), sum(unmetered_calls), sum(cache_hits), sum(cacheable_calls), sum(saved_tokens),
    sum(semantic_savings_pico), sum(prompt_savings_pico)
from usage_15m group by 1, 2, 3, 4, 5, 6, 7, 8, 9;

insert into session_slots
select
    org_id, session_id, agent_id, date_bin('10 seconds', event_time, '2000-01-01 00:00:00+00'), sum(calls),
    coalesce(sum(cost_pico), 0), sum(unpriced_calls), min(event_time), max(event_time)
from entries where calls <> 0 group by 1, 2, 3, 4;

insert into spans (tenant, trace_id, span_id, parent_id, class, event_time, arrived_at, facts, verdict, reason, revision, would_cost_pico, org_id)
select '', trace_id, span_id, '', 1, min(event_time), min(event_time), '{"name": "chat", "usage": [1, 1]}', 'billed', '', count(*), max(cost_pico), min(org_id)
from entries group by trace_id, span_id;

insert into spans (tenant, trace_id, span_id, parent_id, class, event_time, arrived_at, facts, verdict, reason, would_cost_pico)
values (
    '', decode(repeat('a', 32), 'hex'), decode(repeat('6', 16), 'hex'), decode(repeat('4', 16), 'hex'), 1,
    '2026-03-10 11:58:01+00', '2026-03-10 11:58:02+00', '{"name": "chat gpt-4o"}', 'duplicate', 'copy of 3333333333333333', 696500000000
);

insert into suspense (arrived_at, tenant, reason, detail) values ('2026-03-10 11:58:02+00', '', 'bad_usage', 'input_tokens is negative: -1');

insert into intake values
    ('2026-03-10 11:45+00', 'acme', 'received', 14, 0, 0), ('2026-03-10 11:45+00', 'acme', 'posted', 11, 0, 0),
    ('2026-03-10 11:45+00', 'acme', 'redelivered', 2, 696500000000, 1),
    ('2026-03-10 11:45+00', 'acme', 'suspense', 1, 0, 0);

insert into baselines values ('', 'finance_agent', 500000000000, '2026-03-01 00:00:00+00', 'test', null);

-- what the judge found at 11:58 and has kept open since
insert into anomalies (
    org_id, session_id, agent_id, severity, rule, opened_at, judged_at, baseline_pico_per_hour, multiplier,
    window_seconds, spend_pico, calls, unpriced_calls, opened_ratio, peak_spend_pico, peak_ratio, last_seen_at, top_calls
)
values (
    'acme', 's-1', 'finance_agent', 'warning', 'rate', '2026-03-10 11:58:00+00', '2026-03-10 11:59:59+00', 500000000000, 5,
    600, 700000000000, 2, 0, 8.4, 700000000000, 8.4, '2026-03-10 11:58:00+00', '[]'
);
