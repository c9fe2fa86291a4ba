-- Every span of one trace, with its verdict. Called by ledger.sessions.
with recursive tenants (tenant) as (
    (select spans.tenant from spans order by spans.tenant limit 1)
    union all
    select (select spans.tenant from spans where spans.tenant > tenants.tenant order by spans.tenant limit 1)
    from tenants
    where tenants.tenant is not null
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
from spans
where spans.trace_id = %(trace_id)s and spans.tenant in (select tenants.tenant from tenants)
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
