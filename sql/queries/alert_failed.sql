-- Deliveries that did not arrive: tried again at next_at, or given up. Called by ledger.alert_outbox.
update alert_deliveries l
set state = case when l.state in ('waiting', 'held') and f.dead then 'dead' else l.state end,
    next_at = f.next_at, attempts = l.attempts + 1, last_status = %(status)s, last_fault = %(fault)s,
    failing_since = coalesce(l.failing_since, %(now)s)
from unnest(%(ids)s::uuid[], %(next)s::timestamptz[], %(dead)s::boolean[]) f (delivery_id, next_at, dead)
where l.delivery_id = f.delivery_id
