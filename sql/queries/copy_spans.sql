-- Takes in rows of spans. Called by ledger.append.
copy spans (
    tenant, trace_id, span_id, parent_id, class, event_time, arrived_at, facts, scope, id_key, twin_key, verdict,
    reason, revision, posted, would_cost_pico, org_id
) from stdin (format binary)
