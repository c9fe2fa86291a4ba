-- Holds deliveries back until a silence ends. Called by ledger.alert_outbox.
update alert_deliveries l
set state = 'held', next_at = h.until
from unnest(%(ids)s::uuid[], %(untils)s::timestamptz[]) h (delivery_id, until)
where l.delivery_id = h.delivery_id and l.state in ('waiting', 'held', 'resending')
