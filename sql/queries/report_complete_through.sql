-- Everything recorded up to this instant is seen by the transaction; and how many ranges of late entries are still to
-- be summed again. Tells the transaction for whom it speaks, too: a report asks this first. Called by ledger.reading.
select
    coalesce(min(noted_at), now()),
    count(*)::integer,
    set_config('finops.org', coalesce(%(speaks_for)s, current_setting('finops.org', true), ''), true)
from dirty_ranges
where late
