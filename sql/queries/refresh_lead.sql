-- Takes the leadership over the ledger's jobs, where nobody has it; it ends with the connection. Called by ledger.jobs.
select pg_try_advisory_lock(7013414903)
