-- Revokes whatever other token has the name. Called by ledger.tokens.
update tokens set revoked_at = now()
where name = %(name)s and revoked_at is null and sha256 <> %(sha256)s
