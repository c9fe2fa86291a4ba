-- Replaces the identifier of an erasure in the windows and anomalies of its session. Called by ledger.erasing.
select erase_from_sessions(%(erasure_id)s)
