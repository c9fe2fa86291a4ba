-- How many kept spans got which verdict, by arrival, and what a naive sum would have added for them. Called by
-- ledger.coverage.
select
    verdict,
    count(*) as spans,
    coalesce(sum(would_cost_pico), 0) as would_cost_pico,
    count(*) filter (where would_cost_pico is null and (verdict = 'noUsage' or facts -> 'usage' is not null))
        as unpriced_spans
from spans
where arrived_at >= %(start)s and arrived_at < %(end)s
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
group by verdict
order by spans desc, verdict
