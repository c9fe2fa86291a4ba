-- Every migration applied so far. Called by ledger.migrate.
select number, file_name, sha256 from schema_migrations order by number
