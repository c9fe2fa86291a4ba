-- Everything recorded up to this instant is seen by the transaction; and how many ranges of late entries are still to
-- be summed again; and where the aggregate of days ends, null where it has them all. Tells the transaction for whom it speaks, too: a report asks this first. Called by ledger.reading.
select
    coalesce(min(noted_at), now()),
    count(*)::integer,
    (select date_trunc('day', materialized_through, 'UTC') from storage_progress),
    set_config('finops.org', coalesce(%(speaks_for)s, current_setting('finops.org', true), ''), true)
from dirty_ranges
where late
