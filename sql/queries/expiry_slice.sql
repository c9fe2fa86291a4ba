-- How many of an organisation's next spans there are, up to some, and when the last of them was. Called by ledger.expiring.
select count(*), max(f.event_time)
from (
    select s.event_time
    from spans s
    where s.org_id = %(org_id)s and s.event_time >= %(starts)s and s.event_time < %(ends)s
    order by s.event_time
    limit %(limit)s
) f
