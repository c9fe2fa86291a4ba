-- Adds a row to the audit trail; number and hashes are given by its trigger. Called by ledger.audit.
insert into audit (at, actor, action, org_id, subject, before, after, reason)
values (
    %(at)s, %(actor)s, %(action)s, %(org_id)s, %(subject)s, %(before)s::text::jsonb, %(after)s::text::jsonb, %(reason)s
)
