-- Everything received is posted, redelivered, in suspense or ignored, in every quarter hour; and as many spans and
-- suspended spans are kept as were counted, or fewer once old ones were let go, by age or by an organisation's rule. Called by ledger.verify.
with counted as (
    select
        bucket, org_id,
        coalesce(sum(spans) filter (where outcome = 'received'), 0) as received,
        coalesce(sum(spans) filter (where outcome in ('posted', 'redelivered', 'suspense', 'ignored')), 0) as settled
    from intake
    group by bucket, org_id
),
kept as (
    select
        'spans' as what, (select count(*) from spans) as kept,
        (select coalesce(sum(spans), 0) from intake where outcome in ('posted', 'ignored')) as counted
    union all
    select
        'suspense', (select count(*) from suspense),
        (select coalesce(sum(spans), 0) from intake where outcome = 'suspense')
),
faulty as (
    select bucket::text || ' ' || org_id as what, received, settled from counted where received <> settled
    union all
    select what, kept, counted from kept 
    where kept > counted or (
        kept < counted and not exists (select from storage_progress where entries_since is not null)
        and not (what = 'suspense' and exists (select from retention where nameless_through is not null))
    )
)
select
    (select coalesce(sum(received), 0) from counted)::bigint as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
