-- Takes the right to send to destinations that something waits for. Called by ledger.alert_outbox.
update alert_destinations
set lease = gen_random_uuid(), leased_until = %(until)s
where destination_id in (
    select d.destination_id
    from alert_destinations d
    where d.enabled and d.deleted_at is null
        and (d.leased_until is null or d.leased_until <= %(now)s)
        and (d.not_before is null or d.not_before <= %(now)s)
        and exists (
            select
            from alert_deliveries l
            where l.destination_id = d.destination_id and l.state in ('waiting', 'held', 'resending')
                and l.next_at <= %(now)s
        )
    order by d.not_before nulls first
    limit %(lanes)s
    for no key update skip locked
)
returning
    destination_id::text, org_id, name, kind, url, secret,
    case when secret_before_until > %(now)s then secret_before else '' end, matchers, renotify, renotify_seconds,
    send_resolved, enabled, lease::text, failures
