-- Since when single entries are kept; null: for good. Called by ledger.costs, ledger.exports and ledger.spending.
select entries_since from storage_progress
