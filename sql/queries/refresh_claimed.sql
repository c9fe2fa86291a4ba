-- The ranges to refresh now, in order of time. Called by ledger.refresh.
select id, starts, ends from dirty_ranges where claimed order by starts, ends, id
