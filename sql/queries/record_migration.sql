-- Remembers one migration. Called by ledger.migrate inside the migration's own transaction.
insert into schema_migrations (number, file_name, sha256) values (%(number)s, %(file_name)s, %(sha256)s)
