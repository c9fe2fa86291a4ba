-- Traces that hold a record of a call with one of these response ids, each looked up by the index: for thousands of ids
-- the planner would rather read the whole table. Called by ledger.append.
select distinct found.tenant, found.trace_id
from unnest(%(tenants)s::text[], %(keys)s::bytea[]) as wanted (tenant, id_key)
cross join lateral (
    select s.tenant, s.trace_id
    from spans s
    where s.tenant = wanted.tenant and s.id_key = wanted.id_key
    offset 0
) found
