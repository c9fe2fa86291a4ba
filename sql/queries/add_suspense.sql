-- Keeps the spans that could not be believed, with the reason and what can be tried again. Called by ledger.arrivals.
insert into suspense (arrived_at, tenant, trace_id, span_id, reason, detail, form, body)
select
    %(arrived_at)s, n.tenant, nullif(n.trace_id, ''::bytea), nullif(n.span_id, ''::bytea), n.reason, n.detail,
    nullif(n.form, ''), nullif(n.body, ''::bytea)
from unnest(
    %(tenants)s::text[], %(traces)s::bytea[], %(spans)s::bytea[], %(reasons)s::text[], %(details)s::text[],
    %(forms)s::text[], %(bodies)s::bytea[]
) as n (tenant, trace_id, span_id, reason, detail, form, body)
