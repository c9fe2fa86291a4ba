-- Whether sums still depend on entries before an instant: dirty ranges, or a frontier that is not there yet. Called by
-- ledger.retention where there are continuous aggregates.
select
    coalesce(p.materialized_through, '-infinity') < %(edge)s
    or exists (select from dirty_ranges d where d.starts < %(edge)s)
from storage_progress p
