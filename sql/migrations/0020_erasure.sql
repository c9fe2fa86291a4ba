-- Identifiers of users and sessions that have to go: who asked, how far it has come, and what may change for it.

create table erasures (
    erasure_id uuid primary key,
    number bigint generated always as identity unique,
    org_id text not null,
    kind text not null check (kind in ('user', 'session')),
    identifier text check (identifier <> ''),
    digest bytea check (octet_length(digest) = 16),
    pseudonym text not null unique,
    requested_at timestamptz not null,
    requested_by text not null,
    reason text not null,
    phase text not null default 'spans' check (phase in ('spans', 'entries', 'suspense', 'rest', 'finished')),
    cursor_tenant text not null default '',
    cursor_trace bytea not null default '',
    cursor_span bytea not null default '',
    cursor_id bigint not null default 0,
    counts jsonb not null default '{}',
    finished_at timestamptz,
    check ((identifier is null) = (phase = 'finished') and (finished_at is null) = (phase <> 'finished'))
);
comment on table erasures is
    'Identifiers of users and sessions that are replaced, or were, each by a pseudonym that nothing leads back from. The cursors '
    'move in the transactions that replace, so a run that was cut off goes on where it was.';
comment on column erasures.identifier is 'Known while it is being replaced, and then no more.';
comment on column erasures.digest is
    'Keyed hash of the identifier, by which a span that was on its way is recognised; null once none can be any more.';
comment on column erasures.cursor_trace is 'Spans up to here were looked at; cursor_id likewise for suspense.';
create unique index erasures_open on erasures (org_id, kind, identifier) where identifier is not null;

create table erasure_epoch (
    one boolean primary key default true check (one),
    epoch bigint not null,
    key bytea not null
);
comment on table erasure_epoch is
    'How often what collectors must replace has changed, and the key of the digests; a new key is made when no digest is left.';
insert into erasure_epoch (epoch, key) values (0, sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

-- As before, and how often erasures have changed: read after the locks are held, like the rates.
drop function take_heads(integer[]);
create function take_heads(shards integer[])
returns table (shard smallint, writer uuid, epoch bigint, erasures bigint)
language plpgsql as $$
begin
    perform from append_heads h where h.shard = any(shards) order by h.shard for update;
    return query
        select h.shard, h.writer, (select r.epoch from rate_epoch r), (select e.epoch from erasure_epoch e)
        from append_heads h where h.shard = any(shards) order by h.shard;
end
$$;
comment on function take_heads is
    'Takes the right to append for some shards of tenants; says who appended last and, as of then, which rates and erasures hold.';

-- A text in which an identifier stands as a word of its own, with another in its place.
create function mention_renamed(said text, was text, becomes text) returns text language sql immutable as $$
    select regexp_replace(
        said, '(?<![[:alnum:]_])' || regexp_replace(was, '([^[:alnum:]_])', '\\\1', 'g') || '(?![[:alnum:]_])', becomes, 'g'
    )
$$;

-- A document with an identifier replaced: where it is the whole value of something below one of the keys or, where there are no
-- keys, wherever a value mentions it.
create function document_renamed(said jsonb, was text, becomes text, keys text[], below boolean default false)
returns jsonb language sql immutable as $$
    select case jsonb_typeof(said)
        when 'object' then (
            select coalesce(
                jsonb_object_agg(k.key, document_renamed(k.value, was, becomes, keys, below or k.key = any(keys))), '{}'
            )
            from jsonb_each(said) as k
        )
        when 'array' then (
            select coalesce(jsonb_agg(document_renamed(a.value, was, becomes, keys, below) order by a.place), '[]')
            from jsonb_array_elements(said) with ordinality as a (value, place)
        )
        when 'string' then case
            when keys is null then to_jsonb(mention_renamed(said #>> '{}', was, becomes))
            when below and said #>> '{}' = was then to_jsonb(becomes)
            else said
        end
        else said
    end
$$;

-- What people wrote beside a statement that names the identifier.
create function remarks_renamed(said jsonb, was text, becomes text) returns jsonb language sql immutable as $$
    select said || coalesce(
        (
            select jsonb_object_agg(k.key, mention_renamed(k.value #>> '{}', was, becomes))
            from jsonb_each(said) as k
            where k.key in ('name', 'comment') and jsonb_typeof(k.value) = 'string'
        ),
        '{}'
    )
$$;

-- What follows may change what the services may not, and nothing but the identifier of an erasure that is open, in its
-- organisation: no amount, no count and no time. Who may call it is said with the other rights.

create function erase_from_entries(run uuid, most integer) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    about erasures;
    piece record;
    found_rows bigint;
    changed bigint := 0;
begin
    select * into strict about from erasures e where e.erasure_id = run and e.identifier is not null for update;
    perform set_config(name, '0', true) from pg_settings where name = 'timescaledb.max_tuples_decompressed_per_dml_transaction';
    -- Minute by minute: packed entries are unpacked by time, so that little more is than what is asked for.
    for piece in
        select min(f.event_time) as starts, max(f.event_time) as ends
        from (
            select e.event_time
            from entries e
            where e.org_id = about.org_id and (
                (about.kind = 'user' and e.user_id = about.identifier and e.user_id <> '')
                or (about.kind = 'session' and e.session_id = about.identifier)
            )
            order by e.event_time
            limit most
        ) f
        group by date_trunc('minute', f.event_time)
        order by 1
    loop
        if about.kind = 'user' then
            update entries e
            set user_id = about.pseudonym
            where e.event_time >= piece.starts and e.event_time <= piece.ends and e.org_id = about.org_id
                and e.user_id = about.identifier and e.user_id <> '';
        else
            update entries e
            set session_id = about.pseudonym
            where e.event_time >= piece.starts and e.event_time <= piece.ends and e.org_id = about.org_id
                and e.session_id = about.identifier;
        end if;
        get diagnostics found_rows = row_count;
        changed := changed + found_rows;
    end loop;
    return changed;
end
$$;
comment on function erase_from_entries is 'Replaces the identifier of an open erasure in some entries; 0 where none is left.';

create function erase_from_suspense(run uuid, after_id bigint, most integer)
returns table (last_id bigint, looked bigint, changed bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    about erasures;
    word bytea;
begin
    select * into strict about from erasures e where e.erasure_id = run and e.identifier is not null for update;
    word := convert_to(about.identifier, 'UTF8');
    return query
    with page as (
        select s.id, s.tenant, s.body, s.detail
        from suspense s
        where s.id > after_id
        order by s.id
        limit most
    ),
    -- Whose a refused span is can only be read off it where no token says so.
    theirs as (
        select p.id
        from page p
        where (
            p.tenant = about.org_id or (
                p.tenant = '' and (
                    about.org_id = 'default' or position(convert_to(about.org_id, 'UTF8') in coalesce(p.body, '')) > 0
                )
            )
        ) and (position(word in coalesce(p.body, '')) > 0 or position(about.identifier in p.detail) > 0)
    ),
    forgotten as (
        update suspense s
        set body = null, form = null, detail = replace(s.detail, about.identifier, about.pseudonym)
        from theirs t
        where s.id = t.id
        returning s.id
    )
    select (select max(p.id) from page p), (select count(*) from page), (select count(*) from forgotten);
end
$$;
comment on function erase_from_suspense is
    'Forgets what refused spans said that hold the identifier of an open erasure: they can no longer be tried again.';

create function erase_from_sessions(run uuid) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    about erasures;
    slots bigint;
    abnormal bigint;
begin
    select * into strict about
    from erasures e
    where e.erasure_id = run and e.identifier is not null and e.kind = 'session'
    for update;
    insert into session_slots as s (
        org_id, session_id, agent_id, slot, calls, cost_pico, unpriced_calls, first_at, last_at
    )
    select o.org_id, about.pseudonym, o.agent_id, o.slot, o.calls, o.cost_pico, o.unpriced_calls, o.first_at, o.last_at
    from session_slots o
    where o.org_id = about.org_id and o.session_id = about.identifier
    order by 1, 2, 3, 4
    on conflict (org_id, session_id, agent_id, slot) do update set
        calls = s.calls + excluded.calls,
        cost_pico = s.cost_pico + excluded.cost_pico,
        unpriced_calls = s.unpriced_calls + excluded.unpriced_calls,
        first_at = least(s.first_at, excluded.first_at),
        last_at = greatest(s.last_at, excluded.last_at);
    get diagnostics slots = row_count;
    delete from session_slots o where o.org_id = about.org_id and o.session_id = about.identifier;
    delete from session_heads h where h.org_id = about.org_id and h.session_id = about.identifier;
    update anomalies a
    set closed_at = a.judged_at, close_reason = 'recovered'
    where a.org_id = about.org_id and a.session_id = about.identifier and a.closed_at is null and exists (
        select
        from anomalies o
        where o.org_id = a.org_id and o.session_id = about.pseudonym and o.agent_id = a.agent_id and o.closed_at is null
    );
    update anomalies a
    set session_id = about.pseudonym
    where a.org_id = about.org_id and a.session_id = about.identifier;
    get diagnostics abnormal = row_count;
    return jsonb_build_object('sessionSlots', slots, 'anomalies', abnormal);
end
$$;
comment on function erase_from_sessions is 'Replaces the identifier of an open erasure of a session in its slots, head and anomalies.';

create function erased_only_here(about erasures) returns boolean language sql stable as $$
    select not exists (
        select
        from entries e
        where e.org_id <> (about).org_id and (about).kind = 'user' and e.user_id = (about).identifier and e.user_id <> ''
    ) and not exists (
        select
        from entries e
        where e.org_id <> (about).org_id and (about).kind = 'session' and e.session_id = (about).identifier
    )
$$;
comment on function erased_only_here is 'Whether no other organisation has calls of the same name.';

create function erase_from_statements(run uuid, at timestamptz, keys_before text[], keys_after text[]) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    about erasures;
    alone boolean;
    label text;
    firings bigint;
    stated bigint;
    fired bigint;
    deliveries bigint;
    matching bigint;
    more bigint;
begin
    select * into strict about from erasures e where e.erasure_id = run and e.identifier is not null for update;
    alone := erased_only_here(about);
    label := about.kind || 'Id';

    update budget_firings f
    set member = about.pseudonym
    from budgets b
    where b.budget_id = f.budget_id and b.each = about.kind and f.member = about.identifier
        and (b.scope -> 'org' = jsonb_build_array(about.org_id) or alone);
    get diagnostics firings = row_count;
    update budgets b
    set scope = document_renamed(b.scope, about.identifier, about.pseudonym, array[about.kind]),
        name = mention_renamed(b.name, about.identifier, about.pseudonym),
        turns = b.turns + 1
    where b.scope -> about.kind ? about.identifier and (b.scope -> 'org' = jsonb_build_array(about.org_id) or alone);
    get diagnostics stated = row_count;

    update alerts a
    set resolved_at = at
    from unnest(keys_before, keys_after) as k (before, after)
    where a.key = k.before and a.resolved_at is null
        and exists (select from alerts o where o.key = k.after and o.resolved_at is null);
    update alerts a
    set key = coalesce((select k.after from unnest(keys_before, keys_after) as k (before, after) where k.before = a.key), a.key),
        title = mention_renamed(a.title, about.identifier, about.pseudonym),
        summary = mention_renamed(a.summary, about.identifier, about.pseudonym),
        labels = a.labels || jsonb_build_object(label, about.pseudonym),
        annotations = document_renamed(a.annotations, about.identifier, about.pseudonym, null),
        figures = document_renamed(a.figures, about.identifier, about.pseudonym, null)
    where a.labels ->> label = about.identifier and (a.org_id = about.org_id or (a.org_id = '' and alone));
    get diagnostics fired = row_count;
    update alert_deliveries d
    set key = coalesce((select k.after from unnest(keys_before, keys_after) as k (before, after) where k.before = d.key), d.key),
        alert = d.alert || jsonb_build_object(
            'key', coalesce(
                (select k.after from unnest(keys_before, keys_after) as k (before, after) where k.before = d.key), d.key
            ),
            'title', mention_renamed(d.alert ->> 'title', about.identifier, about.pseudonym),
            'summary', mention_renamed(d.alert ->> 'summary', about.identifier, about.pseudonym),
            'labels', (d.alert -> 'labels') || jsonb_build_object(label, about.pseudonym),
            'annotations', document_renamed(d.alert -> 'annotations', about.identifier, about.pseudonym, null),
            'figures', document_renamed(d.alert -> 'figures', about.identifier, about.pseudonym, null)
        )
    where d.alert -> 'labels' ->> label = about.identifier
        and (d.alert ->> 'orgId' = about.org_id or (d.alert ->> 'orgId' = '' and alone));
    get diagnostics deliveries = row_count;

    update alert_silences s
    set matchers = document_renamed(s.matchers, about.identifier, about.pseudonym, array[label]),
        comment = mention_renamed(s.comment, about.identifier, about.pseudonym)
    where s.matchers -> label ? about.identifier and (s.org_id = about.org_id or (s.org_id = '' and alone));
    get diagnostics matching = row_count;
    update alert_destinations d
    set matchers = document_renamed(d.matchers, about.identifier, about.pseudonym, array[label]),
        name = mention_renamed(d.name, about.identifier, about.pseudonym)
    where d.matchers -> label ? about.identifier and (d.org_id = about.org_id or (d.org_id = '' and alone));
    get diagnostics more = row_count;
    return jsonb_build_object(
        'budgets', stated, 'budgetFirings', firings, 'alerts', fired, 'alertDeliveries', deliveries,
        'alertMatchers', matching + more
    );
end
$$;
comment on function erase_from_statements is
    'Replaces the identifier of an open erasure in budgets, in what was told of them, and in alerts and who is told of them.';

-- Rows of the audit trail stay as they are, but for one thing: budgets, silences and destinations of alerts can be about one
-- user or session, and their rows then hold the identifier. It is replaced there too; the hashes stay, and the row of the
-- erasure itself says what each changed row comes to now.
create or replace function refuse_change_of_audit() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        if exists (
            select from erasures e
            where e.erasure_id::text = current_setting('finops.erasing', true) and e.identifier is not null
        ) and (to_jsonb(new) - 'before' - 'after' - 'reason') = (to_jsonb(old) - 'before' - 'after' - 'reason') then
            return new;
        end if;
    end if;
    raise exception 'rows of % are never changed nor removed', tg_table_name;
end
$$;
drop trigger audit_is_kept on audit;
create trigger audit_is_kept before update or delete on audit for each row execute function refuse_change_of_audit();

create function erase_from_audit(run uuid) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    about erasures;
    alone boolean;
    names text[];
    changed jsonb;
begin
    select * into strict about from erasures e where e.erasure_id = run and e.identifier is not null for update;
    perform from audit_head for update;
    alone := erased_only_here(about);
    names := array[about.kind, about.kind || 'Id'];
    perform set_config('finops.erasing', run::text, true);
    with held as (
        select
            a.seq,
            document_renamed(a.before, about.identifier, about.pseudonym, names) as before,
            document_renamed(a.after, about.identifier, about.pseudonym, names) as after
        from audit a
        where (a.org_id = about.org_id or (a.org_id = '' and alone))
            and split_part(a.action, '.', 1) in ('budget', 'alertSilence', 'alertDestination')
    ),
    redacted as (
        update audit a
        set before = remarks_renamed(h.before, about.identifier, about.pseudonym),
            after = remarks_renamed(h.after, about.identifier, about.pseudonym),
            reason = mention_renamed(a.reason, about.identifier, about.pseudonym)
        from held h
        where h.seq = a.seq and (a.before is distinct from h.before or a.after is distinct from h.after)
        returning a.seq, encode(audit_hash(a), 'hex') as hash
    )
    select coalesce(jsonb_agg(jsonb_build_object('seq', r.seq, 'hash', r.hash) order by r.seq), '[]')
    into changed
    from redacted r;
    perform set_config('finops.erasing', '', true);
    return changed;
end
$$;
comment on function erase_from_audit is
    'Replaces the identifier of an open erasure in rows of the audit trail about what was stated for it; says which, and their new hashes.';

revoke execute on function
    erase_from_entries(uuid, integer), erase_from_suspense(uuid, bigint, integer), erase_from_sessions(uuid),
    erase_from_statements(uuid, timestamptz, text[], text[]), erase_from_audit(uuid)
from public;
