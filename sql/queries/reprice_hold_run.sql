-- A run, held until the commit. Called by ledger.reprice.
select run_id, started_at, finished_at, actor, org_id, reason, request, sums, cursor_time, cursor_tenant, cursor_trace,
    cursor_span
from reprice_runs
where run_id = %(run_id)s
for update
