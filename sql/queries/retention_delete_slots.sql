-- Deletes some of the session slots before an instant. Called by ledger.retention.
delete from session_slots
where ctid = any(array(select s.ctid from session_slots s where s.slot < %(edge)s limit %(limit)s))
