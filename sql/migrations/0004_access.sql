-- Who may ask what: tokens are random, so a plain hash of them is enough and the token itself is never kept.

create table tokens (
    id bigint generated always as identity primary key,
    name text not null,
    sha256 bytea not null unique check (octet_length(sha256) = 32),
    scopes text[] not null,
    org_id text,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
comment on table tokens is 'Access tokens, known by their hash only. Rows are revoked, never deleted.';
comment on column tokens.scopes is 'ingest, read, metrics:read, rates:write, baselines:write, admin (admin includes all).';
comment on column tokens.org_id is 'Null: every organisation. Otherwise the only one the token can send or read for.';
create unique index tokens_name on tokens (name) where revoked_at is null;
