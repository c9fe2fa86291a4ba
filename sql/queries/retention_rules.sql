-- The rules of organisations, and of those that had one. Called by ledger.retention_rules.
select org_id, identifier_days, nameless_through, updated_at, updated_by
from retention
where %(orgs)s::text[] is null or org_id = any(%(orgs)s)
order by org_id
