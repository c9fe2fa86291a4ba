-- Traces with a call that states no usage, about the time of some calls that do. One range for all of them: such
-- records are few and have an index of their own. Called by ledger.append.
select distinct e.tenant, e.trace_id
from entries e
where e.unmetered_calls > 0 and e.event_time between %(from_time)s and %(to_time)s
    and e.tenant = any(%(tenants_once)s) and e.service = any(%(services)s)
