-- Lets what silences hold back be looked at again. Called by ledger.alert_silences.
update alert_deliveries set next_at = %(now)s where state = 'held' and next_at > %(now)s
