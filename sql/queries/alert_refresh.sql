-- What is said again is said of the alert as it is now. Called by ledger.alert_outbox before it reads what is due.
update alert_deliveries l
set alert = alert_snapshot(a), happened_at = %(now)s
from alerts a
where l.destination_id = %(destination)s and l.next_at <= %(now)s and a.alert_id = l.alert_id
    and (l.state = 'resending' or (l.state in ('waiting', 'held') and l.event = 'reminder' and l.attempts = 0))
