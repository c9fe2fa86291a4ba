-- What a destination that is gone, or off, is not told any more. Called by ledger.alert_destinations.
update alert_deliveries
set state = case when delivered_at is not null then 'delivered' else 'dead' end, last_fault = %(why)s
where destination_id = %(destination)s and state in ('waiting', 'held', 'resending')
