-- What was told of alerts, of each the newest first. Called by ledger.alert_history.
select
    l.alert_id, l.delivery_id::text, l.destination_id::text, d.name, d.kind, l.event, l.state, l.happened_at,
    case when l.state in ('waiting', 'held', 'resending') then l.next_at end, l.attempts, l.delivered_at, l.last_status,
    l.last_fault
from unnest(%(alerts)s::bigint[]) a (alert_id)
cross join lateral (
    select * from alert_deliveries l where l.alert_id = a.alert_id order by l.seq desc limit %(each)s
) l
join alert_destinations d using (destination_id)
where %(orgs)s::text[] is null or d.org_id = any(%(orgs)s)
order by l.alert_id, l.seq desc
