-- Forgets what some refused spans said that hold the identifier of an erasure. Called by ledger.erasing.
select last_id, looked, changed from erase_from_suspense(%(erasure_id)s, %(after)s, %(limit)s)
