-- Notes that a destination was tried out. Called by ledger.alert_destinations.
insert into alert_deliveries (
    destination_id, key, event, alert, state, happened_at, next_at, attempts, delivered_at, last_status, last_fault
)
values (
    %(destination)s, %(key)s, 'test', '{}', case when %(sent)s then 'delivered' else 'dead' end, %(at)s, %(at)s, 1,
    case when %(sent)s then %(at)s::timestamptz end, %(status)s, %(fault)s
)
