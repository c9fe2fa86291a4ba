-- The spans of some traces that belong to an organisation, or those of a time before. Called by ledger.erasing_spans.
select s.tenant, s.trace_id, s.span_id
from unnest(%(tenants)s::text[], %(traces)s::bytea[]) as wanted (tenant, trace_id)
join spans s on s.tenant = wanted.tenant and s.trace_id = wanted.trace_id
where s.org_id = %(org_id)s and (%(before)s::timestamptz is null or s.event_time < %(before)s)
