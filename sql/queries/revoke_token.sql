-- Ends a token. Called by ledger.tokens.
update tokens set revoked_at = now() where name = %(name)s and revoked_at is null
