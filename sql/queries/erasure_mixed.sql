-- Of the entries to be erased next, the traces that hold spans of several organisations: there an identifier may come from
-- another's span. Called by ledger.erasing.
with next_ones as (
    select e.tenant, e.trace_id
    from entries e
    where e.org_id = %(org_id)s and (
        (%(kind)s = 'user' and e.user_id = %(identifier)s and e.user_id <> '')
        or (%(kind)s = 'session' and e.session_id = %(identifier)s)
    )
    order by e.event_time
    limit %(limit)s
)
select n.tenant, n.trace_id
from (select distinct tenant, trace_id from next_ones) n
join spans s on s.tenant = n.tenant and s.trace_id = n.trace_id
group by n.tenant, n.trace_id
having count(distinct s.org_id) > 1
