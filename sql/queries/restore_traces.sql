-- Every span kept of some traces. Called by ledger.append for traces not in memory.
select s.tenant, s.trace_id, s.span_id, s.parent_id, s.class, s.event_time, s.facts, s.verdict, s.reason, s.revision,
    s.posted
from unnest(%(tenants)s::text[], %(traces)s::bytea[]) as wanted (tenant, trace_id)
join spans s on s.tenant = wanted.tenant and s.trace_id = wanted.trace_id
