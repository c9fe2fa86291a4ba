-- Writes what destinations have to be told of an alert as it is now. Called by ledger.alerts.
insert into alert_deliveries (alert_id, destination_id, key, event, alert, severity_before, happened_at, next_at)
select a.alert_id, d, a.key, %(event)s, alert_snapshot(a), %(severity_before)s, %(at)s, %(at)s
from alerts a
cross join unnest(%(destinations)s::uuid[]) d
where a.alert_id = %(alert_id)s
