-- The rules of organisations whose names are older than they should be, or where something may have arrived late since an
-- instant; the one that was worked on longest ago first. Called by ledger.expiring.
select org_id, date_trunc('day', %(now)s - make_interval(days => identifier_days), 'UTC') as edge
from retention
where identifier_days is not null and (
    nameless_through is null or looked_at is null or looked_at < %(since)s
    or nameless_through < date_trunc('day', %(now)s - make_interval(days => identifier_days), 'UTC')
)
order by looked_at nulls first, org_id
limit 1
