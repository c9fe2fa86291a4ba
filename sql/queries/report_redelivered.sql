-- Spans that came again, by arrival. Called by ledger.coverage.
select
    coalesce(sum(spans), 0)::bigint as spans,
    coalesce(sum(would_cost_pico), 0) as would_cost_pico,
    coalesce(sum(unpriced_spans), 0)::bigint as unpriced_spans
from intake
where outcome = 'redelivered' and bucket >= %(start)s and bucket < %(end)s
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
