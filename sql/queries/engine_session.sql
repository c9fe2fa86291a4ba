-- Lets a session add to packed chunks whatever must be unpacked for it; nothing where the server has no such limit. Called
-- by ledger.pool.
select set_config(name, '0', false)
from pg_settings
where name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'
