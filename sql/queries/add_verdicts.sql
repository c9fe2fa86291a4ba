-- Adds new spans to the sums by verdict and quarter hour of arrival; what becomes of spans later is added by the triggers on
-- them. Called by ledger.arrivals.
insert into verdict_sums as v (bucket, org_id, verdict, spans, would_cost_pico, unpriced_spans)
select %(bucket)s, n.org_id, n.verdict, n.spans, n.would_cost_pico, n.unpriced_spans
from unnest(
    %(orgs)s::text[], %(verdicts)s::text[], %(spans)s::bigint[], %(would_cost_pico)s::numeric[],
    %(unpriced_spans)s::bigint[]
) as n (org_id, verdict, spans, would_cost_pico, unpriced_spans)
order by n.org_id, n.verdict
on conflict (bucket, org_id, verdict) do update
set spans = v.spans + excluded.spans,
    would_cost_pico = v.would_cost_pico + excluded.would_cost_pico,
    unpriced_spans = v.unpriced_spans + excluded.unpriced_spans
