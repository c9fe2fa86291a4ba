-- Destinations and how they fare, by organisation and name. Called by ledger.alert_destinations.
select
    d.destination_id::text, d.org_id, d.name, d.kind, d.url, d.secret,
    case when d.secret_before_until > %(now)s then d.secret_before else '' end, d.matchers, d.renotify,
    d.renotify_seconds, d.send_resolved, d.enabled, d.created_at, d.updated_at, d.updated_by, d.failures,
    (
        select count(*)
        from alert_deliveries l
        where l.destination_id = d.destination_id and l.state in ('waiting', 'held')
    ),
    (select count(*) from alert_deliveries l where l.destination_id = d.destination_id and l.state = 'dead'),
    coalesce(f.last_fault, ''), s.delivered_at
from alert_destinations d
left join lateral (
    select l.last_fault
    from alert_deliveries l
    where l.destination_id = d.destination_id and l.state in ('waiting', 'resending', 'dead') and l.last_fault <> ''
    order by l.seq desc
    limit 1
) f on true
left join lateral (
    select max(l.delivered_at) as delivered_at from alert_deliveries l where l.destination_id = d.destination_id
) s on true
where d.deleted_at is null
    and (%(destination)s::uuid is null or d.destination_id = %(destination)s)
    and (%(orgs)s::text[] is null or d.org_id = any(%(orgs)s))
order by d.org_id, d.name
