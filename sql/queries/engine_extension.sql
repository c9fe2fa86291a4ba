-- Adds TimescaleDB to this database. Called by ledger.switch_engine; the server ends a session that asks for it where the
-- library is not preloaded.
create extension if not exists timescaledb
