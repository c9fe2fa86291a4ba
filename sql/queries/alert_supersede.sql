-- Ends what destinations were to be told of an alert, as something newer is told. Called by ledger.alerts.
update alert_deliveries
set state = case when delivered_at is not null then 'delivered' else 'superseded' end
where alert_id = %(alert_id)s and destination_id = any(%(destinations)s::uuid[])
    and state in ('waiting', 'held', 'resending')
