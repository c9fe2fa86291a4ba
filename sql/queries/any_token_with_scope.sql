-- Whether a valid token with one of the scopes exists. Called by ledger.tokens.
select exists (
    select from tokens
    where scopes && %(scopes)s::text[] and revoked_at is null and (expires_at is null or expires_at > now())
)
