-- Ends a token, and says what it was. Called by ledger.tokens.
update tokens set revoked_at = now() where name = %(name)s and revoked_at is null
returning name, scopes, org_id, expires_at, now()
