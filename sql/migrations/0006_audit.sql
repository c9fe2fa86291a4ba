-- Who changed what (audit), calls that wait for a price (unpriced), reprice runs that survive a crash, and the costs
-- that senders state.

create table audit_head (
    one boolean primary key default true check (one),
    seq bigint not null,
    hash bytea not null
);
comment on table audit_head is
    'The last link of the audit trail. Its row lock puts all rows of the trail in one order; take it after every other lock.';
insert into audit_head (seq, hash) values (0, sha256(''));

create table audit (
    seq bigint primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    org_id text not null,
    subject text not null,
    before jsonb,
    after jsonb,
    reason text not null,
    prev_hash bytea not null,
    hash bytea not null
);
comment on table audit is
    'Every change of a rate, a deployment or a baseline and every repricing, written in the transaction of the change. '
    'Rows are never changed nor removed; each carries the hash of the row before it.';
comment on column audit.actor is 'Name of the token, or of the command.';
comment on column audit.org_id is 'Empty: every organisation.';
comment on column audit.hash is 'SHA-256 over every other column; see audit_hash.';

create function audit_hash(link audit) returns bytea language sql stable as $$
    select sha256(convert_to(json_build_array(
        (link).seq, (extract(epoch from (link).at) * 1000000)::bigint, (link).actor, (link).action, (link).org_id,
        (link).subject, (link).before, (link).after, (link).reason, encode((link).prev_hash, 'hex')
    )::text, 'UTF8'))
$$;

create function chain_audit() returns trigger language plpgsql as $$
begin
    update audit_head set seq = seq + 1 returning seq, hash into new.seq, new.prev_hash;
    new.hash := audit_hash(new);
    update audit_head set hash = new.hash;
    return new;
end
$$;
create trigger audit_is_chained before insert on audit for each row execute function chain_audit();
create trigger audit_is_kept before update or delete on audit for each row execute function refuse_change();
create trigger audit_is_not_emptied before truncate on audit for each statement execute function refuse_change();
create index audit_org on audit (org_id, seq);

-- Calls that wait for a price. Kept by the ledger itself, so that whatever writes entries keeps it.
create table unpriced (
    event_time timestamptz not null,
    tenant text not null,
    trace_id bytea not null,
    span_id bytea not null,
    revision integer not null,
    kind bytea not null,
    primary key (event_time, tenant, trace_id, span_id)
);
comment on table unpriced is
    'Standing entries with usage and without a price: what a new rate may price. A row goes when its entry is reversed.';
comment on column unpriced.kind is 'Calls that the price book asks for alike have the same kind.';
create index unpriced_kind on unpriced (kind, event_time, tenant, trace_id, span_id);

create function kind_of_call(org_id text, detail jsonb) returns bytea language sql immutable as $$
    select substring(sha256(convert_to(concat_ws(
        chr(31), org_id, coalesce(detail ->> 'statedProvider', ''), coalesce(detail ->> 'requestModel', ''),
        coalesce(detail ->> 'responseModel', ''), coalesce(detail ->> 'serviceTier', ''),
        coalesce(detail ->> 'batch', '')
    ), 'UTF8')) for 16)
$$;

create function track_unpriced() returns trigger language plpgsql as $$
begin
    if new.unpriced_calls + new.cache_hits < 0 then
        delete from unpriced u
        where u.event_time = new.event_time and u.tenant = new.tenant and u.trace_id = new.trace_id
            and u.span_id = new.span_id and u.revision < new.revision;
    elsif coalesce(new.detail ->> 'unpricedReason', '') <> 'noUsage' then
        insert into unpriced (event_time, tenant, trace_id, span_id, revision, kind)
        values (
            new.event_time, new.tenant, new.trace_id, new.span_id, new.revision, kind_of_call(new.org_id, new.detail)
        )
        on conflict (event_time, tenant, trace_id, span_id) do update
        set revision = excluded.revision, kind = excluded.kind;
    end if;
    return null;
end
$$;
create trigger entries_track_unpriced after insert on entries for each row
when ((new.unpriced_calls <> 0 and new.unmetered_calls = 0) or (new.cache_hits <> 0 and new.rate_version is null))
execute function track_unpriced();

insert into unpriced (event_time, tenant, trace_id, span_id, revision, kind)
select e.event_time, e.tenant, e.trace_id, e.span_id, e.revision, kind_of_call(e.org_id, e.detail)
from entries e
where ((e.unpriced_calls > 0 and e.unmetered_calls = 0) or (e.cache_hits > 0 and e.rate_version is null))
    and coalesce(e.detail ->> 'unpricedReason', '') <> 'noUsage'
    and not exists (
        select
        from entries l
        where l.event_time = e.event_time and l.tenant = e.tenant and l.trace_id = e.trace_id and l.span_id = e.span_id
            and l.revision > e.revision
    );

create table reprice_runs (
    run_id uuid primary key,
    started_at timestamptz not null,
    finished_at timestamptz,
    actor text not null,
    org_id text not null,
    reason text not null,
    request jsonb not null,
    cursor_time timestamptz not null,
    cursor_tenant text not null default '',
    cursor_trace bytea not null default '',
    cursor_span bytea not null default '',
    sums numeric[] not null
);
comment on table reprice_runs is
    'Applied repricings. The cursor moves in the transaction that writes the corrections, so a run that was cut off goes on '
    'where it was.';
comment on column reprice_runs.sums is 'The fields of finops.reprice.Change after its names, in its order.';
create index reprice_runs_started on reprice_runs (started_at);

create index entries_reported on entries (event_time) where reported_cost_pico is not null;

-- The epoch has to be read after the locks are held: whoever then finds the old one wrote before the rate was put.
create function take_heads(shards integer[]) returns table (shard smallint, writer uuid, epoch bigint)
language plpgsql as $$
begin
    perform from append_heads h where h.shard = any(shards) order by h.shard for update;
    return query
        select h.shard, h.writer, (select r.epoch from rate_epoch r)
        from append_heads h where h.shard = any(shards) order by h.shard;
end
$$;
comment on function take_heads is
    'Takes the right to append for some shards of tenants; says who appended last and, as of then, which rates hold.';
