-- Deliveries that nobody needs any more, because of a silence. Called by ledger.alert_outbox.
update alert_deliveries set state = 'silenced' where delivery_id = any(%(ids)s::uuid[]) and state in ('waiting', 'held')
