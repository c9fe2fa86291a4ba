-- Takes in rows of entries; where the wall shows a view of that name, into the table. Called by ledger.append.
copy public.entries (
    event_time, tenant, trace_id, span_id, revision, org_id, team_id, agent_id, session_id, user_id, environment,
    service, provider, model_id, operation, calls, agent_runs, tool_calls, input_tokens, cached_input_tokens,
    cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls,
    unmetered_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico,
    reported_cost_pico, rate_version, start_lag_us, detail
) from stdin (format binary)
