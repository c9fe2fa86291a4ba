-- A revision of a span is one entry, whatever its time. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
faulty as (
    select tenant, trace_id, span_id, revision, count(*) as entries
    from entries, kept
    where event_time >= since
    group by tenant, trace_id, span_id, revision
    having count(*) > 1
)
select
    (select count(*) from entries) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
