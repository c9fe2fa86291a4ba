-- The oldest entry. Called by ledger.refresh before the first refresh.
select min(event_time) from entries
