-- Why spans are in suspense, by arrival, and how many of them can be tried again. Called by ledger.coverage.
select reason, count(*) as spans, count(body) as replayable
from suspense
where replayed_at is null and arrived_at >= %(start)s and arrived_at < %(end)s
    and (%(orgs)s::text[] is null or coalesce(nullif(tenant, ''), 'default') = any(%(orgs)s))
group by reason
order by spans desc, reason
