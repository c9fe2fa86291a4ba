-- Of an alert that is over: what silences held back is dropped, and nothing is said again. Called by ledger.alerts.
update alert_deliveries
set state = case state when 'held' then 'silenced' when 'resending' then 'delivered' else 'superseded' end
where alert_id = %(alert_id)s and (state in ('held', 'resending') or (state = 'waiting' and event = 'reminder'))
