-- What the token of this hash allows now. Called by ledger.tokens.
select name, scopes, org_id
from tokens
where sha256 = %(sha256)s and revoked_at is null and (expires_at is null or expires_at > now())
