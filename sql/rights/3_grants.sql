-- What each service may do, and nothing else: the ledger's money (entries, rates, audit) can be added to and never changed.
-- Applied after the walls where the roles exist, again whenever this text has changed.
revoke all on all tables in schema public from finops_collector, finops_api, finops_jobs, finops_reader;
revoke all on all tables in schema walled from finops_collector, finops_api, finops_jobs, finops_reader;
grant usage on schema public to finops_collector, finops_api, finops_jobs, finops_reader;
grant usage on schema walled to finops_api;
grant select on schema_migrations to finops_collector, finops_api, finops_jobs, finops_reader;

-- The collector counts, prices and appends.
grant select, insert on entries, rates, suspense to finops_collector;
revoke insert on rates from finops_collector;
grant select, insert, update on spans, session_slots, session_heads, intake, verdict_sums, call_scopes, dirty_ranges
to finops_collector;
grant select, insert, update, delete on unpriced to finops_collector;
grant select, update on append_heads to finops_collector;
grant select on rate_epoch, deployments, storage_progress, burn_window, tokens, blocks to finops_collector;
grant update (last_used_at) on tokens to finops_collector;

-- The query API reads through the walls. It adds rates, corrections and the rows of the audit trail.
grant select on walled.entries to finops_api;
grant select, update on walled.spans to finops_api;
grant insert on entries to finops_api;
grant select, insert on rates, audit to finops_api;
grant select, insert, update on session_slots, reprice_runs, service_starts, dirty_ranges, anomalies to finops_api;
grant select, insert, update, delete on session_heads, agent_hours to finops_api;
grant select, update on burn_window, agent_hours_done to finops_api;
grant select, insert, update, delete on unpriced, baselines, deployments to finops_api;
grant select, update on append_heads, rate_epoch, audit_head to finops_api;
grant select on suspense, intake, verdict_sums, storage_progress, tokens, blocks, usage_blocks to finops_api;
grant select, insert on block_calendars to finops_api;
grant update (last_used_at) on tokens to finops_api;
grant select, insert, update, delete on budgets, budget_firings to finops_api;
grant select, insert, update, delete on alerts, alert_destinations, alert_deliveries, alert_silences to finops_api;

-- Identifiers are replaced by functions that change nothing else, and only for an erasure that is open.
grant select, insert, update on erasures to finops_api;
grant select, update on erasure_epoch to finops_api;
grant select on erasure_epoch to finops_collector;
grant select (org_id, kind, digest, pseudonym, finished_at) on erasures to finops_collector;
grant execute on function
    erase_from_entries(uuid, integer), erase_from_suspense(uuid, bigint, integer), erase_from_sessions(uuid),
    erase_from_statements(uuid, timestamptz, text[], text[]), erase_from_audit(uuid),
    expire_names(text, timestamptz, timestamptz), expire_statements(text, timestamptz)
to finops_api;
grant select, insert, update on retention to finops_api;
grant select (org_id, identifier_days, nameless_through, updated_at, updated_by) on retention to finops_reader;

-- The jobs let go of what is old. Continuous aggregates and chunks want their owner: with TimescaleDB the jobs connect as it.
grant select, delete on entries, spans, session_slots, suspense, unpriced to finops_jobs;
grant select, insert, update, delete on dirty_ranges to finops_jobs;
grant select, update on storage_progress, block_calendars to finops_jobs;
grant select, insert, delete on blocks, usage_blocks to finops_jobs;

-- Dashboards read; neither tokens nor where alerts are sent, nor by what an erased identifier is recognised.
grant select (
    erasure_id, number, org_id, kind, identifier, pseudonym, requested_at, requested_by, reason, phase, counts, finished_at
) on erasures to finops_reader;
grant select on
    entries, spans, usage_15m, usage_1d, session_slots, suspense, intake, verdict_sums, unpriced, rates, rate_epoch, deployments,
    baselines, audit, reprice_runs, service_starts, storage_progress, dirty_ranges, alerts, alert_deliveries,
    alert_silences, session_heads, anomalies, agent_hours, spend_15m, spend_1d, session_spend, session_anomalies,
    agent_baselines, budgets, budget_firings, blocks, usage_blocks, block_calendars
to finops_reader;
