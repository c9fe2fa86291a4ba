-- Traces with a billed call of a service at a moment: what a record without usage may be a copy of.
-- Called by ledger.append.
select distinct e.tenant, e.trace_id
from unnest(%(tenants)s::text[], %(services)s::text[], %(from_times)s::timestamptz[], %(to_times)s::timestamptz[])
    as wanted (tenant, service, from_time, to_time)
join entries e on e.event_time between wanted.from_time and wanted.to_time
    and e.tenant = wanted.tenant and e.service = wanted.service
where e.calls > 0 and e.unmetered_calls = 0
