-- Of an alert that is over: what silences held back is dropped, and nothing is said again. Called by ledger.alerts.
update alert_deliveries
set state = case when delivered_at is not null then 'delivered' when state = 'held' then 'silenced' else 'superseded' end
where alert_id = %(alert_id)s and (state in ('held', 'resending') or (state = 'waiting' and event = 'reminder'))
