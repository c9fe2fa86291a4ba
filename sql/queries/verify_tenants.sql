-- What a sender bound to an organisation sent is that organisation's and nobody else's. Called by ledger.verify.
with faulty as (
    select 'entry' as what, tenant, org_id, encode(trace_id, 'hex') as trace_id, encode(span_id, 'hex') as span_id
    from entries
    where tenant <> '' and org_id <> tenant
    union all
    select 'span', tenant, org_id, encode(trace_id, 'hex'), encode(span_id, 'hex')
    from spans
    where tenant <> '' and org_id <> tenant
)
select
    (select count(*) from entries where tenant <> '') + (select count(*) from spans where tenant <> '') as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
