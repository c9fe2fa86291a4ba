-- What TimescaleDB does by itself for this ledger, and how that went. Called by ledger.storage_state.
select
    j.proc_name,
    j.hypertable_name,
    s.last_run_status,
    nullif(s.last_successful_finish, '-infinity'),
    coalesce(s.total_failures, 0)
from timescaledb_information.jobs j
left join timescaledb_information.job_stats s using (job_id)
where j.hypertable_schema is not null and j.hypertable_name in ('entries', 'usage_15m', 'usage_1d')
order by j.proc_name, j.hypertable_name
