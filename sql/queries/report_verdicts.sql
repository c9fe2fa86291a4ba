-- How many kept spans got which verdict, by arrival, and what a naive sum would have added for them. Called by
-- ledger.coverage.
select
    verdict,
    sum(spans)::bigint as spans,
    sum(would_cost_pico) as would_cost_pico,
    sum(unpriced_spans)::bigint as unpriced_spans
from verdict_sums
where bucket >= %(start)s and bucket < %(end)s and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
group by verdict
having sum(spans) <> 0
order by 2 desc, verdict
