-- Forgets the identifier of an erasure: nothing holds it any more. Called by ledger.erasing.
update erasures
set phase = 'finished', identifier = null, finished_at = %(now)s
where erasure_id = %(erasure_id)s
returning counts
