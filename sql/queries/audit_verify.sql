-- The first row of the trail that was tampered with, that is missing, or that does not follow. A row out of which an erasure took
-- an identifier is what the newest row about such an erasure says that it comes to now. Called by ledger.audit.
with links as (
    select
        a.seq,
        (
            a.hash = audit_hash(a)
            or coalesce(encode(audit_hash(a), 'hex') = (
                select r.value ->> 'hash'
                from audit e
                cross join jsonb_array_elements(e.after -> 'redacted') as r
                where e.action = 'erasure.finish' and e.seq > a.seq and (r.value ->> 'seq')::bigint = a.seq
                order by e.seq desc
                limit 1
            ), false)
        )
        and a.prev_hash = coalesce(lag(a.hash) over trail, sha256(''))
        and a.seq = coalesce(lag(a.seq) over trail, 0) + 1 as sound
    from audit a
    window trail as (order by a.seq)
),
broken as (
    select seq from links where not sound
    union all
    select h.seq
    from audit_head h
    where h.seq <> coalesce((select max(seq) from audit), 0)
        or h.hash <> coalesce((select a.hash from audit a order by a.seq desc limit 1), sha256(''))
)
select seq from broken order by seq limit 1
