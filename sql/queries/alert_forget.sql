-- Takes alerts away that were over long ago, and what was told of them. Called by ledger.alert_outbox.
with gone as (
    delete from alerts
    where alert_id in (select alert_id from alerts where resolved_at < %(before)s order by resolved_at limit %(limit)s)
),
tests as (
    delete from alert_deliveries where event = 'test' and happened_at < %(before)s
)
delete from alert_silences where ends_at < %(before)s
