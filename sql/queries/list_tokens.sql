-- Every token ever registered, without its hash. Called by ledger.tokens.
select id, name, scopes, org_id, created_at, expires_at, revoked_at, last_used_at from tokens order by id
