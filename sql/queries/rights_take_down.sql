-- Takes the views of the second wall away, for a migration that changes what they show. Called by ledger.rights.
drop schema if exists walled cascade
