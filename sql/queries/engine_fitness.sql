-- Who asks, whether nothing can be written, and whether a ledger is here at all. Called by
-- ledger.engine.
select
    current_user::text,
    pg_is_in_recovery(),
    current_setting('transaction_read_only')::boolean,
    to_regclass('schema_migrations') is not null
