-- Moves a run's cursor in the transaction of its corrections. Called by ledger.reprice.
update reprice_runs
set cursor_time = %(cursor_time)s, cursor_tenant = %(cursor_tenant)s, cursor_trace = %(cursor_trace)s::bytea,
    cursor_span = %(cursor_span)s::bytea, sums = %(sums)s, finished_at = %(finished_at)s
where run_id = %(run_id)s
