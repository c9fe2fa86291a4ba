-- What holds an identifier now, but for spans and suspense, which are looked through only when it is erased. Called by
-- ledger.erasing.
with theirs as (
    select e.event_time, e.calls, e.cost_pico
    from entries e
    where e.org_id = %(org_id)s and (
        (%(kind)s = 'user' and e.user_id = %(identifier)s and e.user_id <> '')
        or (%(kind)s = 'session' and e.session_id = %(identifier)s)
    )
)
select
    (select count(*) from theirs),
    (select coalesce(sum(t.calls), 0) from theirs t),
    (select coalesce(sum(t.cost_pico), 0) from theirs t),
    (select min(t.event_time) from theirs t),
    (select max(t.event_time) from theirs t),
    (
        select count(*) from session_slots s
        where %(kind)s = 'session' and s.org_id = %(org_id)s and s.session_id = %(identifier)s
    ),
    (select count(*) from anomalies a where %(kind)s = 'session' and a.org_id = %(org_id)s and a.session_id = %(identifier)s),
    (select count(*) from budgets b where b.scope -> 'org' ? %(org_id)s and b.scope -> %(kind)s ? %(identifier)s),
    (select count(*) from alerts a where a.org_id = %(org_id)s and a.labels ->> (%(kind)s || 'Id') = %(identifier)s)
