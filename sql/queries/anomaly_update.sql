-- Brings an open anomaly up to what was judged, or closes it. Called by ledger.anomaly_pass.
update anomalies
set
    severity = %(severity)s, rule = %(rule)s, judged_at = %(judged_at)s, closed_at = %(closed_at)s,
    close_reason = %(close_reason)s, below_seconds = %(below_seconds)s,
    baseline_pico_per_hour = %(baseline_pico_per_hour)s, multiplier = %(multiplier)s,
    window_seconds = %(window_seconds)s, spend_pico = %(spend_pico)s, calls = %(calls)s,
    unpriced_calls = %(unpriced_calls)s, peak_spend_pico = %(peak_spend_pico)s, peak_ratio = %(peak_ratio)s,
    last_seen_at = %(last_seen_at)s, top_calls = %(top_calls)s::text::jsonb
where anomaly_id = %(anomaly_id)s and closed_at is null
