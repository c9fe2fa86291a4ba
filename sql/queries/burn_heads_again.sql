-- Makes the heads of sessions that may be active again, by their slots' trigger. Called by ledger.session_heads.
update session_slots set calls = calls where slot > %(since)s
