-- Traces to count again, in an order that a seed shuffles; not those that retention may have let go of in part: copies
-- of one call lie up to a day apart. Called by ledger.verify.
select tenant, trace_id
from (
    select tenant, trace_id
    from spans
    group by tenant, trace_id
    having min(event_time) >= coalesce(
        (select max(entries_since) + interval '1 day' from storage_progress), '-infinity'::timestamptz
    )
) as kept
order by hashtextextended(encode(trace_id, 'hex'), %(seed)s), tenant
limit %(traces)s
