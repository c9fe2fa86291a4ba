-- Keeps the spans that could not be believed, with the reason. Called by ledger.arrivals.
insert into suspense (arrived_at, tenant, trace_id, span_id, reason, detail)
select %(arrived_at)s, n.tenant, nullif(n.trace_id, ''::bytea), nullif(n.span_id, ''::bytea), n.reason, n.detail
from unnest(%(tenants)s::text[], %(traces)s::bytea[], %(spans)s::bytea[], %(reasons)s::text[], %(details)s::text[])
    as n (tenant, trace_id, span_id, reason, detail)
