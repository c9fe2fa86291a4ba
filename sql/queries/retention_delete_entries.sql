-- Deletes some of the entries before an instant. Called by ledger.retention where entries are a plain table.
delete from entries
where ctid = any(array(select e.ctid from entries e where e.event_time < %(edge)s order by e.event_time limit %(limit)s))
