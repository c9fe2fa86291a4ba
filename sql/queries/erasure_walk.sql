-- Looks at the next spans of a tenant, in the order of their key, for those of an organisation that state an identifier: their
-- traces, how far it looked, and at how many. Called by ledger.erasing.
with page as materialized (
    select
        s.trace_id, s.span_id,
        s.org_id = %(org_id)s and (
            s.facts -> 'own' ->> %(place)s::integer = %(identifier)s or s.facts -> 'resource' ->> %(place)s::integer = %(identifier)s
        ) as states
    from spans s
    where s.tenant = %(tenant)s and (s.trace_id, s.span_id) > (%(cursor_trace)s::bytea, %(cursor_span)s::bytea)
    order by s.trace_id, s.span_id
    limit %(limit)s
)
select
    coalesce((select array_agg(distinct p.trace_id order by p.trace_id) from page p where p.states), '{}'),
    (select p.trace_id from page p order by p.trace_id desc, p.span_id desc limit 1),
    (select p.span_id from page p order by p.trace_id desc, p.span_id desc limit 1),
    (select count(*) from page)
