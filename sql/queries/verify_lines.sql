-- The cost of an entry is the sum of its lines; each line is tokens times rate, rounded once, half to even; the lines
-- hold every token of the entry; a cost that is missing is said to be missing. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
posted as (
    select
        tenant, trace_id, span_id, revision, calls, cost_pico, unpriced_calls, cache_hits, semantic_savings_pico,
        input_tokens + output_tokens as tokens, detail
    from entries, kept
    where event_time >= since and (calls <> 0 or cache_hits <> 0) and (detail is null or not detail ? 'reverses')
),
priced as (
    select
        p.tenant, p.trace_id, p.span_id, p.revision, p.cost_pico, p.semantic_savings_pico, p.tokens, p.cache_hits,
        coalesce(sum(l.amount), 0) as amount,
        coalesce(sum(l.tokens) filter (where l.kind not in ('request', 'search')), 0) as line_tokens,
        count(*) filter (where l.amount <> div(l.product, 1000) + case
            when mod(l.product, 1000) > 500 then 1
            when mod(l.product, 1000) = 500 then mod(div(l.product, 1000), 2)
            else 0
        end) as wrong_lines
    from posted p
    left join lateral (
        select
            line ->> 'kind' as kind, (line ->> 'tokens')::numeric as tokens, (line ->> 'amountPico')::numeric as amount,
            (line ->> 'tokens')::numeric * (line ->> 'rateFemto')::numeric as product
        from jsonb_array_elements(p.detail -> 'lines') as line
    ) l on true
    where p.detail ? 'lines'
    group by p.tenant, p.trace_id, p.span_id, p.revision, p.cost_pico, p.semantic_savings_pico, p.tokens, p.cache_hits
),
faulty as (
    select tenant, trace_id, span_id, revision, cost_pico, amount as lines_pico, wrong_lines, line_tokens - tokens as tokens
    from priced
    where
        wrong_lines > 0
        or (cache_hits = 0 and (cost_pico is distinct from amount or line_tokens <> tokens))
        or (cache_hits <> 0 and semantic_savings_pico <> amount)
    union all
    select tenant, trace_id, span_id, revision, cost_pico, null, null, null
    from posted
    where
        (cost_pico is null) <> (unpriced_calls <> 0)
        or unpriced_calls not in (0, calls)
        or (calls <> 0 and cost_pico is not null and (detail is null or not detail ? 'lines'))
)
select
    (select count(*) from posted) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
