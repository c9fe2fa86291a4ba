-- Which walls and grants have been applied. Called by ledger.rights.
create table if not exists rights_applied (
    only_row boolean primary key default true check (only_row),
    sha256 text not null,
    applied_at timestamptz not null default now()
)
