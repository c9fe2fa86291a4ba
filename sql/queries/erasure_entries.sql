-- Replaces the identifier of an erasure in some entries. Called by ledger.erasing.
select erase_from_entries(%(erasure_id)s, %(limit)s)
