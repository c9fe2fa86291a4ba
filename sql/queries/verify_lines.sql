-- The cost of an entry is the sum of its lines; each line is tokens times rate, rounded once, half to even; the lines
-- hold every token of the entry; a cost that is missing is said to be missing. Lines are written down, or follow from the
-- rate of each kind of token. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
posted as (
    select
        tenant, trace_id, span_id, revision, calls, cost_pico, unpriced_calls, cache_hits, semantic_savings_pico,
        input_tokens, cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens,
        detail
    from entries, kept
    where event_time >= since and (calls <> 0 or cache_hits <> 0) and (detail is null or not detail ? 'reverses')
),
lines as (
    select
        p.tenant, p.trace_id, p.span_id, p.revision, p.cost_pico, p.semantic_savings_pico, p.cache_hits,
        p.input_tokens + p.output_tokens as entry_tokens, l.kind, l.tokens, l.stated,
        div(l.product, 1000) + case
            when mod(l.product, 1000) > 500 then 1
            when mod(l.product, 1000) = 500 then mod(div(l.product, 1000), 2)
            else 0
        end as amount
    from posted p
    left join lateral (
        select
            line ->> 'kind' as kind, (line ->> 'tokens')::numeric as tokens, (line ->> 'amountPico')::numeric as stated,
            (line ->> 'tokens')::numeric * (line ->> 'rateFemto')::numeric as product
        from jsonb_array_elements(p.detail -> 'lines') as line
        union all
        select counted.kind, counted.tokens, null, counted.tokens * (p.detail -> 'rates' ->> counted.kind)::numeric
        from (
            values
                ('input', p.input_tokens - p.cached_input_tokens - p.cache_write_tokens),
                ('cached', p.cached_input_tokens),
                ('cacheWrite5m', p.cache_write_tokens - p.cache_write_1h_tokens),
                ('cacheWrite1h', p.cache_write_1h_tokens),
                ('output', p.output_tokens - p.reasoning_tokens),
                ('reasoning', p.reasoning_tokens),
                ('request', 1)
        ) as counted (kind, tokens)
        where p.detail -> 'rates' ? counted.kind
    ) l on true
    where p.detail ?| array['lines', 'rates']
),
priced as (
    select
        tenant, trace_id, span_id, revision, cost_pico, semantic_savings_pico, cache_hits, entry_tokens,
        coalesce(sum(coalesce(stated, amount)), 0) as amount,
        coalesce(sum(tokens) filter (where kind not in ('request', 'search')), 0) as line_tokens,
        count(*) filter (where stated <> amount) as wrong_lines
    from lines
    group by tenant, trace_id, span_id, revision, cost_pico, semantic_savings_pico, cache_hits, entry_tokens
),
faulty as (
    select
        tenant, trace_id, span_id, revision, cost_pico, amount as lines_pico, wrong_lines,
        line_tokens - entry_tokens as tokens
    from priced
    where
        wrong_lines > 0
        or (cache_hits = 0 and (cost_pico is distinct from amount or line_tokens <> entry_tokens))
        or (cache_hits <> 0 and semantic_savings_pico <> amount)
    union all
    select tenant, trace_id, span_id, revision, cost_pico, null, null, null
    from posted
    where
        (cost_pico is null) <> (unpriced_calls <> 0)
        or unpriced_calls not in (0, calls)
        or (calls <> 0 and cost_pico is not null and (detail is null or not detail ?| array['lines', 'rates']))
)
select
    (select count(*) from posted) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
