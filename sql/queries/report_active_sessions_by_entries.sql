-- As report_active_sessions, for filters the slots cannot answer (model, environment): from the entries.
-- Called by ledger.sessions.
with spending as (
    select
        org_id,
        session_id,
        agent_id,
        date_bin('10 seconds', event_time, timestamptz '2000-01-01 00:00:00+00') as slot,
        sum(calls) as calls,
        coalesce(sum(cost_pico), 0) as cost_pico,
        sum(unpriced_calls) as unpriced_calls,
        max(event_time) as last_at
    from entries
    where event_time > least(%(idle_start)s, %(window_start)s)::timestamptz - interval '10 seconds'
        and event_time <= %(now)s::timestamptz + interval '10 seconds'
        and calls <> 0
        and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
        and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
        and (%(models)s::text[] is null or model_id = any(%(models)s))
        and (%(environments)s::text[] is null or environment = any(%(environments)s))
    group by org_id, session_id, agent_id, slot
    having sum(calls) <> 0
)
select
    active.org_id,
    active.session_id,
    active.agent_id,
    case when active.calls = 0 or active.unpriced_calls < active.calls then active.spend_pico end as spend_pico,
    active.calls,
    active.unpriced_calls,
    (
        select min(slot_row.first_at)
        from session_slots as slot_row
        where slot_row.org_id = active.org_id and slot_row.session_id = active.session_id
            and slot_row.agent_id = active.agent_id and slot_row.calls <> 0
    ) as first_seen_at,
    active.last_seen_at,
    normal.baseline_pico_per_hour
from (
    select
        org_id,
        session_id,
        agent_id,
        coalesce(sum(cost_pico) filter (where slot > %(window_start)s), 0) as spend_pico,
        coalesce(sum(calls) filter (where slot > %(window_start)s), 0)::bigint as calls,
        coalesce(sum(unpriced_calls) filter (where slot > %(window_start)s), 0)::bigint as unpriced_calls,
        max(last_at) as last_seen_at
    from spending
    group by org_id, session_id, agent_id
    having max(last_at) > %(idle_start)s
    order by spend_pico desc, last_seen_at desc, org_id, session_id, agent_id
    limit %(limit)s
) as active
left join lateral (
    select baselines.baseline_pico_per_hour
    from baselines
    where baselines.agent_id = active.agent_id and baselines.org_id in (active.org_id, '')
    order by baselines.org_id desc
    limit 1
) as normal on true
order by spend_pico desc nulls last, active.last_seen_at desc, active.org_id, active.session_id, active.agent_id
