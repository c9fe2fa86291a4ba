-- Gives up what waits beyond the limit of a destination, the oldest first: what is newest matters most. Ends of alerts are
-- never among it: whoever was told that something began is told that it is over. Called by ledger.alert_outbox.
update alert_deliveries
set state = 'dead', last_fault = %(fault)s
where delivery_id in (
    select over.delivery_id
    from alert_destinations d
    cross join lateral (
        select l.delivery_id
        from alert_deliveries l
        where l.destination_id = d.destination_id and l.state in ('waiting', 'held') and l.event <> 'resolved'
        order by l.seq desc
        offset %(waiting_max)s
        limit %(limit)s
    ) over
    where d.deleted_at is null
)
returning destination_id::text
