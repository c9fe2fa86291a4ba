-- All queries of a change see the same ledger, and nobody else's change of what it changes. Called by ledger.reading.
set transaction isolation level repeatable read
