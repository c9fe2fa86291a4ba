-- Forgets some of the calls without a price that are no longer kept. Called by ledger.retention.
delete from unpriced
where ctid = any(array(select u.ctid from unpriced u where u.event_time < %(edge)s limit %(limit)s))
