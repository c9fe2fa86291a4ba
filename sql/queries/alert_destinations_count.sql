-- How many destinations an organisation has. Called by ledger.alert_destinations.
select count(*) from alert_destinations where org_id = %(org_id)s and deleted_at is null
