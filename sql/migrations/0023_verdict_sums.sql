-- Spans by verdict and quarter hour of arrival: what became of everything that arrived can be told without reading the spans.
-- The append adds what is new to them, which costs it a tenth of what a trigger on new rows would; what becomes of spans later,
-- and what anybody else adds, a collector of the version before among them, is added by triggers.

create table verdict_sums (
    bucket timestamptz not null,
    org_id text not null,
    verdict text not null,
    spans bigint not null,
    would_cost_pico numeric not null,
    unpriced_spans bigint not null,
    primary key (bucket, org_id, verdict)
);
comment on table verdict_sums is
    'How many of the spans that are kept arrived in a quarter hour and have a verdict; kept by the append and by the triggers on spans.';
comment on column verdict_sums.would_cost_pico is 'What a naive sum would have added for them, in pico-USD.';
comment on column verdict_sums.unpriced_spans is 'Of them: those that state usage no rate has a price for, or should state some.';

create function is_unpriced(cost_pico bigint, verdict text, facts jsonb) returns boolean language sql immutable parallel safe as $$
    select cost_pico is null and (verdict = 'noUsage' or facts -> 'usage' is not null)
$$;
comment on function is_unpriced is 'Whether a naive sum would not know what to add for a span.';

-- With the rights of its owner, because nobody else may write here; keys in order, as everywhere.
create function note_verdicts() returns trigger language plpgsql security definer set search_path = public as $$
begin
    if tg_op = 'TRUNCATE' then
        delete from verdict_sums;
        return null;
    elsif tg_op = 'UPDATE' then
        insert into verdict_sums as v (bucket, org_id, verdict, spans, would_cost_pico, unpriced_spans)
        select
            date_bin('15 minutes', m.arrived_at, 'epoch'), m.org_id, m.verdict, sum(m.one), sum(m.one * m.would_cost_pico),
            coalesce(sum(m.one) filter (where m.unpriced), 0)
        from (
            select
                1 as one, c.arrived_at, c.org_id, c.verdict, coalesce(c.would_cost_pico, 0) as would_cost_pico,
                is_unpriced(c.would_cost_pico, c.verdict, c.facts) as unpriced
            from came c
            union all
            select
                -1, g.arrived_at, g.org_id, g.verdict, coalesce(g.would_cost_pico, 0),
                is_unpriced(g.would_cost_pico, g.verdict, g.facts)
            from gone g
        ) m
        group by 1, 2, 3
        having sum(m.one) <> 0 or sum(m.one * m.would_cost_pico) <> 0 or sum(m.one) filter (where m.unpriced) <> 0
        order by 1, 2, 3
        on conflict (bucket, org_id, verdict) do update set
            spans = v.spans + excluded.spans,
            would_cost_pico = v.would_cost_pico + excluded.would_cost_pico,
            unpriced_spans = v.unpriced_spans + excluded.unpriced_spans;
    else
        insert into verdict_sums as v (bucket, org_id, verdict, spans, would_cost_pico, unpriced_spans)
        select
            date_bin('15 minutes', g.arrived_at, 'epoch'), g.org_id, g.verdict, -count(*),
            -coalesce(sum(g.would_cost_pico), 0), -count(*) filter (where is_unpriced(g.would_cost_pico, g.verdict, g.facts))
        from gone g
        group by 1, 2, 3
        order by 1, 2, 3
        on conflict (bucket, org_id, verdict) do update set
            spans = v.spans + excluded.spans,
            would_cost_pico = v.would_cost_pico + excluded.would_cost_pico,
            unpriced_spans = v.unpriced_spans + excluded.unpriced_spans;
    end if;
    return null;
end
$$;

create function note_verdict() returns trigger language plpgsql security definer set search_path = public as $$
begin
    insert into verdict_sums as v (bucket, org_id, verdict, spans, would_cost_pico, unpriced_spans)
    values (
        date_bin('15 minutes', new.arrived_at, 'epoch'), new.org_id, new.verdict, 1, coalesce(new.would_cost_pico, 0),
        is_unpriced(new.would_cost_pico, new.verdict, new.facts)::integer
    )
    on conflict (bucket, org_id, verdict) do update set
        spans = v.spans + excluded.spans,
        would_cost_pico = v.would_cost_pico + excluded.would_cost_pico,
        unpriced_spans = v.unpriced_spans + excluded.unpriced_spans;
    return null;
end
$$;

-- Nobody writes spans between the sums and the triggers.
lock table spans in share row exclusive mode;
insert into verdict_sums (bucket, org_id, verdict, spans, would_cost_pico, unpriced_spans)
select
    date_bin('15 minutes', s.arrived_at, 'epoch'), s.org_id, s.verdict, count(*), coalesce(sum(s.would_cost_pico), 0),
    count(*) filter (where is_unpriced(s.would_cost_pico, s.verdict, s.facts))
from spans s
group by 1, 2, 3;
create trigger spans_came after insert on spans for each row
when (current_setting('finops.adds_verdicts', true) is distinct from 'on') execute function note_verdict();
create trigger spans_changed after update on spans
referencing new table as came old table as gone for each statement execute function note_verdicts();
create trigger spans_went after delete on spans
referencing old table as gone for each statement execute function note_verdicts();
create trigger spans_emptied after truncate on spans for each statement execute function note_verdicts();
