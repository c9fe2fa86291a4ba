-- Destinations that may have to be told of an organisation's alert. Called by ledger.alerts.
select destination_id, matchers, renotify
from alert_destinations
where org_id in ('', %(org_id)s) and enabled and deleted_at is null
