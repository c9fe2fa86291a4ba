-- How far an organisation's names have gone, held until the commit. Called by ledger.expiring.
select nameless_through, looked_at, key
from retention
where org_id = %(org_id)s and identifier_days is not null
    and %(edge)s <= %(now)s - make_interval(days => identifier_days)
for update
