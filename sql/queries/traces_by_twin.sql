-- Traces that hold a record with equal totals, at that time, of another scope. Two branches because an index serves
-- "less" and "greater" but not "different". Called by ledger.append.
select distinct found.tenant, found.trace_id
from unnest(
    %(tenants)s::text[], %(keys)s::bytea[], %(scopes)s::text[], %(from_times)s::timestamptz[],
    %(to_times)s::timestamptz[], %(have_ids)s::boolean[]
) as wanted (tenant, twin_key, scope, from_time, to_time, has_id)
cross join lateral (
    select s.tenant, s.trace_id, s.id_key
    from spans s
    where s.tenant = wanted.tenant and s.twin_key = wanted.twin_key and s.scope < wanted.scope
        and s.event_time between wanted.from_time and wanted.to_time
    union all
    select s.tenant, s.trace_id, s.id_key
    from spans s
    where s.tenant = wanted.tenant and s.twin_key = wanted.twin_key and s.scope > wanted.scope
        and s.event_time between wanted.from_time and wanted.to_time
) as found
where not (wanted.has_id and found.id_key is not null)
