-- A destination, held until the end of the transaction: whoever changes it takes turns. Called by
-- ledger.alert_destinations.
select destination_id from alert_destinations
where destination_id = %(destination)s
for no key update
