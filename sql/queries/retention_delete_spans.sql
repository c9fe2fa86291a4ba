-- Deletes some of the spans that belong to entries no longer kept. Called by ledger.retention.
delete from spans
where ctid = any(
    array(
        select s.ctid from spans s where s.event_time < %(edge)s and s.arrived_at < %(edge)s limit %(limit)s
    )
)
