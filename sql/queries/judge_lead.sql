-- Takes the judge's lead, where nobody has it; it ends with the connection. Called by ledger.leadership.
select pg_try_advisory_lock(7013414904)
