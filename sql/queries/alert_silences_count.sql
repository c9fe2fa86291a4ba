-- How many silences are not over. Called by ledger.alert_silences.
select count(*) from alert_silences where ends_at > %(now)s
