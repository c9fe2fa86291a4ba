-- Traces that hold a record of a call with one of these response ids. Called by ledger.append.
select distinct s.tenant, s.trace_id
from unnest(%(tenants)s::text[], %(keys)s::bytea[]) as wanted (tenant, id_key)
join spans s on s.tenant = wanted.tenant and s.id_key = wanted.id_key
