-- What is known of every session that may be abnormal now, and of every one with an open anomaly. Which may be is told by
-- the bound of its spend: no window holds more. Called by ledger.anomalies.
with normal as materialized (
    select
        h.org_id,
        h.session_id,
        h.agent_id,
        h.spend_bound_pico,
        h.last_at > %(now)s::timestamptz + interval '50 seconds' as ahead,
        case when own.agent_id is null then common.baseline_pico_per_hour else own.baseline_pico_per_hour end as baseline,
        case when own.agent_id is null then common.anomaly_multiplier else own.anomaly_multiplier end as multiplier
    from session_heads h
    left join baselines own on own.agent_id = h.agent_id and own.org_id = h.org_id
    left join baselines common on common.agent_id = h.agent_id and common.org_id = ''
    where h.last_at > %(long_start)s
        and (h.spend_bound_pico >= %(floor_pico)s or h.last_at > %(now)s::timestamptz + interval '50 seconds')
        and (%(orgs)s::text[] is null or h.org_id = any(%(orgs)s))
        and (%(agents)s::text[] is null or h.agent_id = any(%(agents)s))
),
suspects as materialized (
    (
        select org_id, session_id, agent_id
        from normal
        where ahead or spend_bound_pico >= %(single_call_pico)s
            or spend_bound_pico * 3600 >= nullif(baseline, 0) * coalesce(multiplier, %(multiplier)s) * %(least_seconds)s
        order by spend_bound_pico desc
        limit %(limit)s
    )
    union
    (
        select org_id, session_id, agent_id
        from anomalies
        where closed_at is null
            and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
            and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    )
)
select
    suspects.org_id,
    suspects.session_id,
    suspects.agent_id,
    case when sums.calls = 0 or sums.unpriced_calls < sums.calls then sums.spend_pico end as spend_pico,
    sums.calls,
    sums.unpriced_calls,
    sums.short_pico,
    sums.long_pico,
    coalesce(dearest.cost_pico, 0) as largest_pico,
    sums.last_seen_at,
    sums.slots,
    sums.slot_costs,
    stated.baseline_pico_per_hour,
    stated.anomaly_multiplier
from suspects
cross join lateral (
    select
        coalesce(sum(s.cost_pico) filter (where s.slot > %(window_start)s), 0) as spend_pico,
        coalesce(sum(s.calls) filter (where s.slot > %(window_start)s), 0)::bigint as calls,
        coalesce(sum(s.unpriced_calls) filter (where s.slot > %(window_start)s), 0)::bigint as unpriced_calls,
        coalesce(sum(s.cost_pico) filter (where s.slot > %(short_start)s), 0) as short_pico,
        coalesce(sum(s.cost_pico) filter (where s.slot > %(long_start)s), 0) as long_pico,
        coalesce(max(s.last_at), %(long_start)s) as last_seen_at,
        coalesce(array_agg(s.slot order by s.slot) filter (where s.slot > %(window_start)s), '{}') as slots,
        coalesce(array_agg(s.cost_pico order by s.slot) filter (where s.slot > %(window_start)s), '{}') as slot_costs
    from session_slots s
    where s.org_id = suspects.org_id and s.session_id = suspects.session_id and s.agent_id = suspects.agent_id
        and s.slot > least(%(long_start)s, %(window_start)s)::timestamptz and s.slot <= %(now)s
        and (s.calls <> 0 or s.cost_pico <> 0)
) sums
cross join lateral (
    select max(call.cost_pico) as cost_pico
    from (
        select sum(e.cost_pico) as cost_pico
        from entries e
        where e.session_id = suspects.session_id and e.org_id = suspects.org_id and e.agent_id = suspects.agent_id
            and e.event_time > %(window_start)s and e.event_time <= %(now)s::timestamptz + interval '10 seconds'
            and date_bin('10 seconds', e.event_time, timestamptz '2000-01-01 00:00:00+00') > %(window_start)s
            and date_bin('10 seconds', e.event_time, timestamptz '2000-01-01 00:00:00+00') <= %(now)s
        group by e.tenant, e.trace_id, e.span_id
    ) call
) dearest
left join lateral (
    select b.baseline_pico_per_hour, b.anomaly_multiplier
    from baselines b
    where b.agent_id = suspects.agent_id and b.org_id in (suspects.org_id, '')
    order by b.org_id desc
    limit 1
) as stated on true
