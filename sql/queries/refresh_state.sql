-- How far entries are materialised, since when they are kept, and whether something waits to be claimed. Called by
-- ledger.refresh.
select
    p.materialized_through,
    p.entries_since,
    exists (select from dirty_ranges d where not d.claimed) as waiting
from storage_progress p
