-- Forgets the plain twin of a migration that replaces it. Called by ledger.switch_engine.
delete from schema_migrations where number = %(number)s
