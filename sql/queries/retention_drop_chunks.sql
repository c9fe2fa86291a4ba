-- Drops the days of entries before an instant. Called by ledger.retention where entries are a hypertable.
select count(*) from drop_chunks('entries', older_than => %(edge)s::timestamptz)
