-- All queries of one report see the same ledger. Called by ledger.reading.
set transaction isolation level repeatable read, read only
