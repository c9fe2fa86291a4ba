-- What spans say without an identifier, and the digests of what stands for them then. Called by ledger.erasing_spans.
update spans s
set facts = n.facts, posted = n.posted
from unnest(
    %(tenants)s::text[], %(traces)s::bytea[], %(spans)s::bytea[], %(facts)s::jsonb[], %(posted)s::bytea[]
) as n (tenant, trace_id, span_id, facts, posted)
where s.tenant = n.tenant and s.trace_id = n.trace_id and s.span_id = n.span_id
