-- How many spans came and what became of them. Called by ledger.arrivals.
insert into intake as i (bucket, org_id, outcome, spans, would_cost_pico, unpriced_spans)
select %(bucket)s, n.org_id, n.outcome, n.spans, n.would_cost_pico, n.unpriced_spans
from unnest(
    %(orgs)s::text[], %(outcomes)s::text[], %(spans)s::bigint[], %(would_cost_pico)s::bigint[],
    %(unpriced_spans)s::bigint[]
) as n (org_id, outcome, spans, would_cost_pico, unpriced_spans)
order by n.org_id, n.outcome
on conflict (bucket, org_id, outcome) do update
set spans = i.spans + excluded.spans,
    would_cost_pico = i.would_cost_pico + excluded.would_cost_pico,
    unpriced_spans = i.unpriced_spans + excluded.unpriced_spans
