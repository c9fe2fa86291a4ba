-- Takes heads of sessions away that have long been idle. Called by ledger.session_heads.
delete from session_heads
where ctid = any(array(select h.ctid from session_heads h where h.last_at < least(%(now)s::timestamptz, now()) - %(age)s limit %(limit)s))
