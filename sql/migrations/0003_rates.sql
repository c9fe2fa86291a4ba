-- What operators say models cost: append-only versions, and the epoch that tells a collector its price book is old.

create table rate_epoch (
    one boolean primary key default true check (one),
    epoch bigint not null
);
comment on table rate_epoch is
    'How many times a rate has changed. An append compares it with its price book''s; a change of rates raises it in '
    'its own transaction, and its row lock puts all changes in one order.';
insert into rate_epoch (epoch) values (0);

create table rates (
    version bigint primary key,
    org_id text not null,
    provider text not null,
    model_id text not null check (model_id <> ''),
    ended boolean not null,
    input_femto bigint check (input_femto >= 0),
    cached_femto bigint check (cached_femto >= 0),
    cache_write_5m_femto bigint check (cache_write_5m_femto >= 0),
    output_femto bigint check (output_femto >= 0),
    reasoning_femto bigint check (reasoning_femto >= 0),
    dated boolean not null,
    effective_from timestamptz not null,
    created_at timestamptz not null,
    source text not null,
    author text not null,
    reason text not null,
    check (ended or (input_femto is not null and output_femto is not null))
);
comment on table rates is
    'Every version of every rate an operator stated, and every end of one. Rows are never changed nor removed.';
comment on column rates.version is 'The epoch this change made.';
comment on column rates.org_id is 'Empty: every organisation.';
comment on column rates.provider is 'Empty: this model on every provider.';
comment on column rates.ended is 'From effective_from on, nothing is stated any more.';
comment on column rates.input_femto is 'femto-USD (1e-15 USD) per token, as are its neighbours; null: as the rate it is a part of.';
comment on column rates.dated is 'True: holds for calls that start at effective_from or later. False: for all that arrive after it.';
create index rates_model on rates (lower(model_id), version);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed nor removed', tg_table_name;
end
$$;
create trigger rates_are_kept before update or delete on rates for each row execute function refuse_change();

create table deployments (
    provider text not null,
    deployment text not null,
    model_id text not null check (model_id <> ''),
    updated_at timestamptz not null,
    updated_by text not null,
    primary key (provider, deployment)
);
comment on table deployments is
    'Which model an operator runs under a name of their own: Azure deployments, Vertex endpoints, Bedrock profiles.';
