-- Waits until every append that has written entries is committed, and keeps others from writing any until the end of
-- this transaction: the other side is the trigger on entries. Called by ledger.refresh and ledger.retention.
select pg_advisory_xact_lock(7013414902)
