-- Spans in suspense that can be tried again, in the order in which they came. Called by ledger.suspense.
select id, arrived_at, tenant, reason, form, body
from suspense
where body is not null and replayed_at is null and id > %(after)s
    and (%(reason)s::text is null or reason = %(reason)s)
order by id
limit %(limit)s
