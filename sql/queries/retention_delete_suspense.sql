-- Deletes some of the spans that were refused before an instant. Called by ledger.retention.
delete from suspense
where ctid = any(array(select s.ctid from suspense s where s.arrived_at < %(edge)s limit %(limit)s))
