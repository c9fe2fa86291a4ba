-- One day of calls, made by the server itself from a seed: a trace of four calls within twenty seconds, a session of
-- twenty, agents that use three models each, token counts over three orders of magnitude, prices of the real book.
-- Every number depends on the seed, the day and the number of the call alone. %(models)s: the models with their rates.
insert into entries (
    event_time, tenant, trace_id, span_id, revision, recorded_s, org_id, team_id, agent_id, session_id, user_id,
    environment, service, provider, model_id, operation, calls, agent_runs, tool_calls, input_tokens,
    cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_pico,
    unpriced_calls, unmetered_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico,
    prompt_savings_pico, reported_cost_pico, rate_version, start_lag_us, detail
)
with models as materialized (
    select *
    from jsonb_to_recordset(%(models)s::jsonb) as m (
        number bigint, provider text, model_id text, rate_version bigint, caching boolean, input_femto bigint,
        cached_femto bigint, output_femto bigint, terms jsonb
    )
),
traces as materialized (
    select
        t.number as trace,
        t.dice,
        t.number / 5 as session,
        hashint8extended(t.number / 5, hashtextextended(%(day)s::text, %(seed)s::bigint)) & 9223372036854775807 as who
    from (
        select number, decode(md5(%(seed)s || '/' || %(day)s::text || '/' || number), 'hex') as dice
        from generate_series(0, %(calls)s / 4 - 1) as number
    ) t
),
calls as materialized (
    select
        t.trace,
        t.dice as trace_id,
        c.dice,
        t.session,
        t.who,
        %(day)s::timestamptz + interval '1 microsecond' * (
            t.who / 1000 %% 85700000000 + t.trace %% 5 * 130000000 + step * 5000000 + get_byte(c.dice, 8) * 16001
            + get_byte(c.dice, 9) * 61
        ) as event_time,
        (get_byte(c.dice, 10) * 256 + get_byte(c.dice, 11))::bigint as r1,
        (get_byte(c.dice, 12) * 256 + get_byte(c.dice, 13))::bigint as r2,
        (get_byte(c.dice, 14) * 256 + get_byte(c.dice, 15))::bigint as r3
    from traces t
    cross join generate_series(0, 3) as step
    cross join lateral (select decode(md5(encode(t.dice, 'hex') || step), 'hex') as dice) c
),
counted as (
    select
        c.*,
        (c.who %% %(agents)s)::integer as agent,
        m.*,
        60 + r1 %% 1000 * (r1 %% 1000) * (r1 %% 997) / 100000 as input,
        case when m.caching and r2 %% 10 < 4 then (r2 / 10 %% 8) * 128 else 0 end as cacheable,
        10 + r3 %% 1009 * (r3 %% 1009) / 1000 as output,
        200000 + (r3 * 1021 + r1 * 17) %% 14000000 as lag
    from calls c
    join models m on m.number = (c.who %% %(agents)s * 5 + c.r3 %% 3 * 4) %% 12
),
priced as (
    select c.*, least(c.cacheable, c.input / 128 * 128) as cached
    from counted c
)
select
    least(event_time, %(day)s::timestamptz + interval '1 day' - interval '1 microsecond'), '', trace_id, substr(dice, 1, 8), 1,
    extract(epoch from event_time + interval '1 second')::bigint,
    'org-' || agent %% %(orgs)s, '', 'agent-' || agent, encode(decode(md5(who::text || session), 'hex'), 'hex'), '',
    'production', 'service-' || agent %% %(orgs)s, provider, model_id, 'chat', 1, 0, 0, input, cached, 0, 0, output, 0,
    ((input - cached) * input_femto + cached * cached_femto + output * output_femto) / 1000, 0, 0, 0, 1, 0, 0,
    cached * (input_femto - cached_femto) / 1000, null, rate_version, lag,
    jsonb_set(terms, '{rates}', case when cached = 0 then terms -> 'rates' #- '{cached}' when cached = input then terms -> 'rates' #- '{input}' else terms -> 'rates' end)
from priced
where event_time < %(until)s
