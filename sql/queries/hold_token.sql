-- A token of this hash that was not revoked, held until the commit. Called by ledger.tokens.
select name, scopes, org_id, expires_at, now() from tokens where sha256 = %(sha256)s and revoked_at is null for update
