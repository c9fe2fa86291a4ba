-- Lets budgets be added one after the other, so that their number keeps its limit. Called by ledger.budgets.
select pg_advisory_xact_lock(7013414921)
