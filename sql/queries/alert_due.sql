-- What a destination has to be told now: of each key the oldest, so that nothing overtakes. Called by
-- ledger.alert_outbox. The last columns: whether it is over, and whether the destination was ever told of it.
select
    l.delivery_id::text, l.event, l.alert::text, l.severity_before, l.happened_at, coalesce(a.fired_at, l.happened_at),
    l.attempts, l.state = 'resending', l.failing_since, a.resolved_at is not null,
    exists (
        select
        from alert_deliveries e
        where e.alert_id = l.alert_id and e.destination_id = l.destination_id and e.seq < l.seq and e.attempts > 0
    )
from alert_deliveries l
left join alerts a on a.alert_id = l.alert_id
where l.destination_id = %(destination)s and l.state in ('waiting', 'held', 'resending') and l.next_at <= %(now)s
    and not exists (
        select
        from alert_deliveries e
        where e.destination_id = l.destination_id and e.key = l.key and e.seq < l.seq and e.state in ('waiting', 'held')
    )
order by l.next_at, l.seq
limit %(limit)s
