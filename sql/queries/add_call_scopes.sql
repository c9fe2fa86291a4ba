-- Instrumentations seen for the first time, or for the first time without an answer id. Called by ledger.call_scopes.
insert into call_scopes as c (tenant, scope, without_id)
select n.tenant, n.scope, n.without_id
from unnest(%(tenants)s::text[], %(scopes)s::text[], %(without_id)s::boolean[]) as n (tenant, scope, without_id)
order by n.tenant, n.scope
on conflict (tenant, scope) do update set without_id = c.without_id or excluded.without_id
