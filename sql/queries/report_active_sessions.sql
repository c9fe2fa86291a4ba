-- The fastest sessions with a recent call and their spend inside the window, from the ten-second slots. Only those are
-- summed that can be among the fastest; burn_next_bound says whether they were enough. Called by ledger.sessions.
with likely as materialized (
    (
        select org_id, session_id, agent_id
        from session_heads
        where last_at > %(idle_start)s
            and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
            and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
        order by spend_bound_pico desc, last_at desc, org_id, session_id, agent_id
        limit %(likely)s
    )
    union
    (
        select org_id, session_id, agent_id
        from session_heads
        where last_at > %(now)s::timestamptz + interval '50 seconds'
            and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
            and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    )
)
select
    active.org_id,
    active.session_id,
    active.agent_id,
    active.spend_pico,
    active.calls,
    active.unpriced_calls,
    head.first_at as first_seen_at,
    active.last_seen_at,
    normal.baseline_pico_per_hour
from (
    select
        likely.org_id,
        likely.session_id,
        likely.agent_id,
        case
            when sums.calls = 0 or sums.unpriced_calls < sums.calls then sums.spend_pico
        end as spend_pico,
        sums.calls,
        sums.unpriced_calls,
        sums.last_seen_at
    from likely
    cross join lateral (
        select
            coalesce(sum(s.cost_pico) filter (where s.slot > %(window_start)s), 0) as spend_pico,
            coalesce(sum(s.calls) filter (where s.slot > %(window_start)s), 0)::bigint as calls,
            coalesce(sum(s.unpriced_calls) filter (where s.slot > %(window_start)s), 0)::bigint as unpriced_calls,
            max(s.last_at) as last_seen_at
        from session_slots s
        where s.org_id = likely.org_id and s.session_id = likely.session_id and s.agent_id = likely.agent_id
            and s.slot > least(%(idle_start)s, %(window_start)s)::timestamptz - interval '10 seconds' and s.slot <= %(now)s
            and (s.calls <> 0 or s.cost_pico <> 0)
    ) sums
    where sums.last_seen_at > %(idle_start)s
    order by spend_pico desc nulls last, sums.last_seen_at desc, likely.org_id, likely.session_id, likely.agent_id
    limit %(limit)s
) active
join session_heads head using (org_id, session_id, agent_id)
left join lateral (
    select baselines.baseline_pico_per_hour
    from baselines
    where baselines.agent_id = active.agent_id and baselines.org_id in (active.org_id, '')
    order by baselines.org_id desc
    limit 1
) as normal on true
order by active.spend_pico desc nulls last, active.last_seen_at desc, active.org_id, active.session_id, active.agent_id
