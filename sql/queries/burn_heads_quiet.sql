-- Lowers the bounds of sessions with nothing left in any window. Called by ledger.session_heads.
update session_heads
set spend_bound_pico = 0
where ctid = any(
    array(select h.ctid from session_heads h where h.last_at < least(%(now)s::timestamptz, now()) - %(age)s and h.spend_bound_pico > 0 limit %(limit)s)
)
