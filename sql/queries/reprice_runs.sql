-- Runs, the newest first. Called by ledger.reprice.
select run_id, started_at, finished_at, actor, org_id, reason, request, sums, cursor_time
from reprice_runs
where (%(run_id)s::uuid is null or run_id = %(run_id)s) and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
order by started_at desc, run_id
limit %(limit)s
