-- Since when single entries are kept; null: for good. Called by ledger.costs and ledger.exports.
select entries_since from storage_progress
