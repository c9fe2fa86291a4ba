-- Lets a refresh take its time. Called by ledger.jobs.
set statement_timeout = 0
