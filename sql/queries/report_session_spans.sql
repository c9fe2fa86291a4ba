-- Every span of the traces of one session, with its verdict. Called by ledger.sessions.
with traces as (
    select distinct tenant, trace_id
    from entries
    where session_id = %(session_id)s and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
)
select
    encode(spans.trace_id, 'hex') as trace_id,
    encode(spans.span_id, 'hex') as span_id,
    encode(spans.parent_id, 'hex') as parent_span_id,
    spans.event_time,
    spans.arrived_at,
    spans.class as span_class,
    spans.verdict,
    spans.reason,
    spans.revision as revisions,
    spans.would_cost_pico,
    spans.facts
from traces
join spans using (tenant, trace_id)
where spans.facts is not null
    and (
        %(orgs)s::text[] is null
        or spans.tenant = any(%(orgs)s)
        or spans.tenant = ''
        and coalesce(spans.facts -> 'own' ->> 0, spans.facts -> 'resource' ->> 0, '') = any(%(orgs)s::text[] || ''::text)
        and not exists (
            select
            from entries
            where entries.event_time = spans.event_time and entries.tenant = spans.tenant
                and entries.trace_id = spans.trace_id and entries.span_id = spans.span_id
                and entries.org_id <> all(%(orgs)s)
        )
    )
order by spans.event_time, spans.trace_id, spans.span_id
limit %(limit)s
