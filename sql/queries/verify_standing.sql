-- What stands for a span is one entry where the span says that something is posted, else none; and it is the span's
-- last revision. An entry has its span. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
made as (
    select
        tenant, trace_id, span_id, count(*) as entries, max(revision) as last_revision,
        max(revision) filter (where detail is null or not detail ? 'reverses') as last_posting,
        count(*) filter (where detail is null or not detail ? 'reverses')
        - count(*) filter (where detail ? 'reverses') as standing
    from entries, kept
    where event_time >= since
    group by tenant, trace_id, span_id
),
faulty as (
    select
        coalesce(s.tenant, m.tenant) as tenant, coalesce(s.trace_id, m.trace_id) as trace_id,
        coalesce(s.span_id, m.span_id) as span_id, s.verdict, s.revision as span_revision,
        s.posted is not null as posted, coalesce(m.entries, 0) as entries, m.last_revision,
        coalesce(m.standing, 0) as standing
    from (select spans.* from spans, kept where event_time >= since) s
    full join made m on m.tenant = s.tenant and m.trace_id = s.trace_id and m.span_id = s.span_id
    where
        s.tenant is null
        or coalesce(m.entries, 0) <> s.revision
        or coalesce(m.last_revision, 0) <> s.revision
        or coalesce(m.standing, 0) <> (s.posted is not null)::integer
        or (s.posted is not null and m.last_posting is distinct from s.revision)
)
select
    (select count(*) from spans) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
