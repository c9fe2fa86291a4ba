-- Makes a token valid, unless it was revoked before. Called by ledger.tokens.
insert into tokens (name, sha256, scopes, org_id, expires_at)
values (%(name)s, %(sha256)s, %(scopes)s, %(org_id)s, %(expires_at)s)
on conflict (sha256) do update
set name = excluded.name, scopes = excluded.scopes, org_id = excluded.org_id, expires_at = excluded.expires_at
where tokens.revoked_at is null
returning name, scopes, org_id, expires_at, now()
