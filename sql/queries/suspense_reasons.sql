-- What is in suspense: by reason, how many spans, how many of them can be tried again, and since when.
-- Called by ledger.suspense.
select reason, count(*) as spans, count(body) as replayable, min(arrived_at) as oldest
from suspense
where replayed_at is null
group by reason
order by spans desc, reason
