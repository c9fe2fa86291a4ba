-- Gives the right to send back. Called by ledger.alert_outbox; another's right is left alone.
update alert_destinations
set lease = null, leased_until = null, not_before = %(not_before)s, failures = %(failures)s
where destination_id = %(destination)s and lease = %(lease)s::uuid
