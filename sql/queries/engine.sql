-- Server version, version and licence of TimescaleDB where this database has it, and what the sums are where there is a
-- ledger already: a view (continuous aggregates) or a table. Called by ledger.engine.
select
    current_setting('server_version'),
    (select extversion from pg_extension where extname = 'timescaledb'),
    current_setting('timescaledb.license', true),
    (select case relkind when 'v' then 'view' else 'table' end from pg_class where oid = to_regclass('usage_15m'))
