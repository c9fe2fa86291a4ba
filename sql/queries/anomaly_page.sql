-- Anomalies, the newest first. Called by ledger.anomalies.
select
    anomaly_id, org_id, session_id, agent_id, severity, rule, opened_at, judged_at, closed_at, close_reason, below_seconds,
    baseline_pico_per_hour, multiplier, window_seconds, spend_pico, calls, unpriced_calls, opened_ratio, peak_spend_pico,
    peak_ratio, last_seen_at, top_calls
from anomalies
where anomaly_id < %(before)s
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    and (%(sessions)s::text[] is null or session_id = any(%(sessions)s))
    and (%(open)s::boolean is null or (closed_at is null) = %(open)s)
order by anomaly_id desc
limit %(limit)s
