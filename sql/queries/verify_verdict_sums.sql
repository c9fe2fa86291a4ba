-- Sums of spans by verdict and quarter hour of arrival are those of the spans that are kept. Called by ledger.verify.
with made as (
    select
        date_bin('15 minutes', s.arrived_at, 'epoch') as bucket, s.org_id, s.verdict, count(*) as spans,
        coalesce(sum(s.would_cost_pico), 0) as would_cost_pico,
        count(*) filter (where is_unpriced(s.would_cost_pico, s.verdict, s.facts)) as unpriced_spans
    from spans s
    group by 1, 2, 3
),
compared as (
    select
        bucket, org_id, verdict, k.spans as kept_spans, m.spans as made_spans,
        k.would_cost_pico as kept_pico, m.would_cost_pico as made_pico,
        k.unpriced_spans as kept_unpriced, m.unpriced_spans as made_unpriced
    from verdict_sums k
    full join made m using (bucket, org_id, verdict)
),
faulty as (
    select *
    from compared
    where coalesce(kept_spans, 0) <> coalesce(made_spans, 0)
        or coalesce(kept_pico, 0) <> coalesce(made_pico, 0)
        or coalesce(kept_unpriced, 0) <> coalesce(made_unpriced, 0)
)
select
    (select count(*) from compared) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
