-- Every span kept of some traces, each looked up by the index. Called by ledger.append for traces not in memory.
select found.*
from unnest(%(tenants)s::text[], %(traces)s::bytea[]) as wanted (tenant, trace_id)
cross join lateral (
    select s.tenant, s.trace_id, s.span_id, s.parent_id, s.class, s.event_time, s.facts, s.verdict, s.reason,
        s.revision, s.posted
    from spans s
    where s.tenant = wanted.tenant and s.trace_id = wanted.trace_id
    offset 0
) found
