-- Deliveries that arrived; what is sent again while its alert fires stays due. Called by ledger.alert_outbox.
update alert_deliveries
set state = case
        when %(resend_at)s::timestamptz is not null and event <> 'resolved' and state <> 'superseded'
            and alert_id = any(%(firing)s::bigint[]) then 'resending'
        else 'delivered'
    end,
    next_at = coalesce(%(resend_at)s, next_at), attempts = attempts + 1, last_status = %(status)s, last_fault = '',
    failing_since = null, delivered_at = coalesce(delivered_at, %(now)s)
where delivery_id = any(%(ids)s::uuid[])
