-- Moves the frontier below which entries are late, and leaves in the same transaction what is now to be materialised.
-- Called by ledger.refresh.
with moved as (
    update storage_progress set materialized_through = %(ends)s
    returning %(starts)s::timestamptz as starts, %(ends)s::timestamptz as ends
)
insert into dirty_ranges (starts, ends, late, claimed)
select starts, ends, false, true
from moved
where starts < ends
