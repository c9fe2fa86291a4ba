-- Keeps alerts from being resolved until the commit; which of them fire. Called by ledger.alert_outbox.
with held as (
    select a.alert_id, a.resolved_at
    from alerts a
    where a.alert_id in (select l.alert_id from alert_deliveries l where l.delivery_id = any(%(ids)s::uuid[]))
    order by a.alert_id
    for share
)
select alert_id from held where resolved_at is null
