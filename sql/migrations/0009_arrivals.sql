-- What arrived, by quarter hour and organisation, so that days of any time zone add up; and whose span each span is.

alter table spans add column org_id text not null default 'default';
comment on column spans.org_id is
    'The organisation of what stands for this span in entries, else what the span, its ancestors or its resource say.';
comment on column spans.would_cost_pico is
    'What a naive sum would have added for this span, in pico-USD: what stands in entries where the span is billed, else '
    'its price when it arrived. Null: it states no usage, or has no price.';
update spans set org_id = coalesce(nullif(tenant, ''), facts -> 'own' ->> 0, facts -> 'resource' ->> 0, 'default');
update spans s
set org_id = e.org_id, would_cost_pico = case when s.verdict = 'billed' then e.cost_pico else s.would_cost_pico end
from entries e
where s.posted is not null and e.event_time = s.event_time and e.tenant = s.tenant and e.trace_id = s.trace_id
    and e.span_id = s.span_id and e.revision = s.revision;

alter table intake rename to intake_by_day;
create table intake (
    bucket timestamptz not null,
    org_id text not null,
    outcome text not null,
    spans bigint not null,
    would_cost_pico numeric not null default 0,
    unpriced_spans bigint not null default 0,
    primary key (bucket, org_id, outcome)
);
comment on table intake is
    'How many spans arrived in a quarter hour and what became of them: received = posted + redelivered + suspense + '
    'ignored.';
comment on column intake.would_cost_pico is 'What a naive sum would have added for the redelivered spans, in pico-USD.';
comment on column intake.unpriced_spans is 'Of the redelivered spans: those that state usage no rate has a price for.';
insert into intake (bucket, org_id, outcome, spans)
select day::timestamp at time zone 'UTC', coalesce(nullif(tenant, ''), 'default'), outcome, sum(spans)
from intake_by_day
group by 1, 2, 3;
drop table intake_by_day;
