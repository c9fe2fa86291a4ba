-- Tells spans that are still kept which of their entries stands, and what it costs. Called by ledger.corrections.
update spans s
set revision = n.revision,
    would_cost_pico = case when s.verdict = 'billed' then n.cost_pico else s.would_cost_pico end
from unnest(
    %(tenants)s::text[], %(traces)s::bytea[], %(spans)s::bytea[], %(revisions)s::integer[], %(costs)s::bigint[]
) as n (tenant, trace_id, span_id, revision, cost_pico)
where s.tenant = n.tenant and s.trace_id = n.trace_id and s.span_id = n.span_id
