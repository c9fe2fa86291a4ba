-- New verdicts for spans that are kept already, and new content where a more complete one came; where the same entry
-- stands as before, so does what it cost. Called by ledger.append_rows.
update spans s
set parent_id = n.parent_id,
    class = n.class,
    event_time = n.event_time,
    facts = n.facts,
    scope = n.scope,
    id_key = n.id_key,
    twin_key = n.twin_key,
    verdict = n.verdict,
    reason = n.reason,
    revision = n.revision,
    posted = n.posted,
    would_cost_pico = case
        when n.verdict = 'billed' and n.revision = s.revision and n.posted = s.posted then s.would_cost_pico
        else n.would_cost_pico
    end,
    org_id = n.org_id
from unnest(
    %(tenant)s::text[], %(trace_id)s::bytea[], %(span_id)s::bytea[], %(parent_id)s::bytea[], %(class)s::smallint[],
    %(event_time)s::timestamptz[], %(facts)s::jsonb[], %(scope)s::text[], %(id_key)s::bytea[], %(twin_key)s::bytea[],
    %(verdict)s::text[], %(reason)s::text[], %(revision)s::integer[], %(posted)s::bytea[],
    %(would_cost_pico)s::bigint[], %(org_id)s::text[]
) as n (
    tenant, trace_id, span_id, parent_id, class, event_time, facts, scope, id_key, twin_key, verdict, reason, revision,
    posted, would_cost_pico, org_id
)
where s.tenant = n.tenant and s.trace_id = n.trace_id and s.span_id = n.span_id
