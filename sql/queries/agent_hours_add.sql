-- What the sessions of each agent burned at in one hour: the median of the highest rate of each in a sliding window.
-- Sessions with an anomaly in that hour are left out: what is abnormal must not become normal. Called by
-- ledger.agent_hours.
insert into agent_hours (org_id, agent_id, hour, sessions, median_pico_per_hour)
select
    peak.org_id,
    peak.agent_id,
    %(hour)s,
    count(*),
    percentile_disc(0.5) within group (order by peak.spent) * 3600 / %(window_seconds)s::integer
from (
    select sliding.org_id, sliding.session_id, sliding.agent_id, max(sliding.spent) as spent
    from (
        select
            s.org_id,
            s.session_id,
            s.agent_id,
            s.slot,
            sum(s.cost_pico) over (
                partition by s.org_id, s.session_id, s.agent_id
                order by s.slot range between %(before)s::interval preceding and current row
            ) as spent
        from session_slots s
        where s.slot > %(hour)s::timestamptz - %(before)s::interval
            and s.slot < %(hour)s::timestamptz + interval '1 hour' and s.calls <> 0
    ) sliding
    where sliding.slot >= %(hour)s
    group by sliding.org_id, sliding.session_id, sliding.agent_id
    having max(sliding.spent) > 0
) peak
where not exists (
    select
    from anomalies a
    where a.org_id = peak.org_id and a.session_id = peak.session_id and a.agent_id = peak.agent_id
        and a.opened_at < %(hour)s::timestamptz + interval '1 hour'
        and coalesce(a.closed_at, 'infinity') > %(hour)s
)
group by peak.org_id, peak.agent_id
on conflict (org_id, agent_id, hour) do update
set sessions = excluded.sessions, median_pico_per_hour = excluded.median_pico_per_hour
