-- Where the server knows the setting, dropping chunks tells the aggregates nothing, so nothing can take their history
-- away afterwards. Called by ledger.retention.
select set_config(name, 'on', true) from pg_settings where name = 'timescaledb.skip_cagg_invalidation'
