-- Rows of the audit trail, the newest first. Called by ledger.audit.
select seq, at, actor, action, org_id, subject, before::text, after::text, reason, prev_hash, hash
from audit
where seq < %(before)s
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(actions)s::text[] is null or action = any(%(actions)s))
order by seq desc
limit %(limit)s
