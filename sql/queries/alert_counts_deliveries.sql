-- What is in the outbox, and what was given up. Called by ledger.alert_history for metrics.
select d.kind, l.state, count(*), greatest(extract(epoch from %(now)s - min(l.happened_at)), 0)::float8
from alert_deliveries l
join alert_destinations d using (destination_id)
where l.state in ('waiting', 'held', 'resending', 'dead') and (%(orgs)s::text[] is null or d.org_id = any(%(orgs)s))
group by d.kind, l.state
order by d.kind, l.state
