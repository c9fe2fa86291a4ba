-- What stands of every session that has an open anomaly or had one lately; of each the newest. Called by
-- ledger.anomalies.
select distinct on (org_id, session_id, agent_id)
    anomaly_id, org_id, session_id, agent_id, severity, rule, opened_at, judged_at, closed_at, close_reason, below_seconds,
    baseline_pico_per_hour, multiplier, window_seconds, spend_pico, calls, unpriced_calls, opened_ratio, peak_spend_pico,
    peak_ratio, last_seen_at, top_calls
from anomalies
where (closed_at is null or closed_at > %(lately)s)
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
order by org_id, session_id, agent_id, closed_at is null desc, anomaly_id desc
