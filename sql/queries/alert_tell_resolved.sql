-- Writes the end of an alert for the destinations that are told of it. Called by ledger.alerts.
insert into alert_deliveries (alert_id, destination_id, key, event, alert, happened_at, next_at)
select a.alert_id, d.destination_id, a.key, 'resolved', alert_snapshot(a), %(at)s, %(at)s
from alerts a
cross join alert_destinations d
where a.alert_id = %(alert_id)s and d.send_resolved and d.enabled and d.deleted_at is null
    and exists (
        select
        from alert_deliveries l
        where l.alert_id = a.alert_id and l.destination_id = d.destination_id
            and l.state not in ('silenced', 'superseded')
    )
