-- Opens an anomaly. Called by ledger.anomaly_pass.
insert into anomalies (
    org_id, session_id, agent_id, severity, rule, opened_at, judged_at, baseline_pico_per_hour, multiplier,
    window_seconds, spend_pico, calls, unpriced_calls, opened_ratio, peak_spend_pico, peak_ratio, last_seen_at, top_calls
)
values (
    %(org_id)s, %(session_id)s, %(agent_id)s, %(severity)s, %(rule)s, %(opened_at)s, %(judged_at)s,
    %(baseline_pico_per_hour)s, %(multiplier)s, %(window_seconds)s, %(spend_pico)s, %(calls)s, %(unpriced_calls)s,
    %(opened_ratio)s, %(peak_spend_pico)s, %(peak_ratio)s, %(last_seen_at)s, %(top_calls)s::text::jsonb
)
