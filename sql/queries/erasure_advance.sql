-- Moves an erasure on in the transaction of what it replaced. Called by ledger.erasing.
update erasures
set phase = %(phase)s, cursor_tenant = %(cursor_tenant)s, cursor_trace = %(cursor_trace)s::bytea,
    cursor_span = %(cursor_span)s::bytea, cursor_id = %(cursor_id)s,
    counts = counts || (
        select coalesce(jsonb_object_agg(n.name, n.number + coalesce((counts ->> n.name)::bigint, 0)), '{}')
        from unnest(%(names)s::text[], %(numbers)s::bigint[]) as n (name, number)
    )
where erasure_id = %(erasure_id)s
