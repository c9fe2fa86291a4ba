-- Remembers a run before it changes anything. Called by ledger.reprice.
insert into reprice_runs (run_id, started_at, actor, org_id, reason, request, cursor_time, sums)
values (%(run_id)s, %(now)s, %(actor)s, %(org_id)s, %(reason)s, %(request)s::text::jsonb, %(cursor_time)s, %(sums)s)
