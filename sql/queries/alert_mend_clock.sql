-- Waits that no rule of ours can have asked for: the clock was ahead when they were written. Called by
-- ledger.alert_outbox.
with lanes as (
    update alert_destinations
    set leased_until = least(leased_until, %(latest)s), not_before = least(not_before, %(latest)s)
    where greatest(leased_until, not_before) > %(latest)s
)
update alert_deliveries
set next_at = %(latest)s
where state = 'waiting' and event <> 'reminder' and next_at > %(latest)s
