-- How far sums are materialised, and where they must be again. Stays empty where the append keeps the sums itself.

create table storage_progress (
    only_row boolean primary key default true check (only_row),
    materialized_through timestamptz,
    entries_since timestamptz
);
comment on table storage_progress is 'How far entries are, or are just being, materialised; and since when they are kept. One row.';
insert into storage_progress default values;

create table dirty_ranges (
    id bigint generated always as identity primary key,
    starts timestamptz not null,
    ends timestamptz not null check (ends > starts),
    late boolean not null,
    claimed boolean not null,
    noted_at timestamptz not null default now()
);
comment on table dirty_ranges is
    'Quarter hours whose sums must be materialised, once more where entries came late. Written by the transaction that '
    'adds the entries, taken away when every level was refreshed.';
comment on column dirty_ranges.late is 'Reports miss entries recorded since noted_at; otherwise they sum them when read.';
comment on column dirty_ranges.claimed is 'A refresh of it may have begun, so entries added now need a row of their own.';
