-- Remembers that a token was used, once a minute. Called by ledger.tokens.
update tokens set last_used_at = now()
where sha256 = %(sha256)s and (last_used_at is null or last_used_at < now() - interval '1 minute')
