-- For how long an organisation's users and sessions keep their names, and how far the older ones have lost them.

create table retention (
    org_id text primary key check (org_id <> ''),
    identifier_days integer check (identifier_days between 1 and 3650),
    nameless_through timestamptz,
    looked_at timestamptz,
    key bytea not null default sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')),
    updated_at timestamptz not null,
    updated_by text not null
);
comment on table retention is
    'Organisations whose users and sessions lose their names by age. Rows stay when the rule is taken back: what is gone is gone.';
comment on column retention.identifier_days is 'Whole UTC days for which names are kept; null: as long as the rows they are in.';
comment on column retention.nameless_through is 'What happened before has lost its names.';
comment on column retention.looked_at is 'What arrived before, for the time before nameless_through, was looked at, too.';
comment on column retention.key is 'Makes the pseudonyms of the day that is worked on; another one is made when the day is done.';
create index spans_event_time on spans using brin (event_time);

create function expired_name(key bytea, kind text, name text) returns text language sql immutable as $$
    select case
        when name = '' or starts_with(name, 'expired-') then name
        else 'expired-' || substr(encode(sha256(key || convert_to(kind || chr(31) || name, 'UTF8')), 'hex'), 1, 32)
    end
$$;
comment on function expired_name is 'The pseudonym of a user or session; finops.expiry makes the same.';

-- Changes names and no figure, only of an organisation that has such a rule, and only of what is as old as the rule says.
create function expire_names(org text, starts timestamptz, ends timestamptz) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    rule retention;
    changed bigint;
    sessions text[];
    agents text[];
begin
    select * into strict rule
    from retention r
    where r.org_id = org and ends <= now() - make_interval(days => r.identifier_days)
    for update;
    perform set_config(name, '0', true) from pg_settings where name = 'timescaledb.max_tuples_decompressed_per_dml_transaction';
    update entries e
    set user_id = expired_name(rule.key, 'user', e.user_id), session_id = expired_name(rule.key, 'session', e.session_id)
    where e.event_time >= starts and e.event_time < ends and e.org_id = org and (
        not starts_with(e.session_id, 'expired-') or (e.user_id <> '' and not starts_with(e.user_id, 'expired-'))
    );
    get diagnostics changed = row_count;

    insert into session_slots as s (
        org_id, session_id, agent_id, slot, calls, cost_pico, unpriced_calls, first_at, last_at
    )
    select
        o.org_id, expired_name(rule.key, 'session', o.session_id), o.agent_id, o.slot, o.calls, o.cost_pico,
        o.unpriced_calls, o.first_at, o.last_at
    from session_slots o
    where o.slot >= starts and o.slot < ends and o.org_id = org and not starts_with(o.session_id, 'expired-')
    order by 1, 2, 3, 4
    on conflict (org_id, session_id, agent_id, slot) do update set
        calls = s.calls + excluded.calls,
        cost_pico = s.cost_pico + excluded.cost_pico,
        unpriced_calls = s.unpriced_calls + excluded.unpriced_calls,
        first_at = least(s.first_at, excluded.first_at),
        last_at = greatest(s.last_at, excluded.last_at);
    with gone as (
        delete from session_slots o
        where o.slot >= starts and o.slot < ends and o.org_id = org and not starts_with(o.session_id, 'expired-')
        returning o.session_id, o.agent_id
    ),
    touched as (select distinct g.session_id, g.agent_id from gone g)
    select array_agg(t.session_id), array_agg(t.agent_id) into sessions, agents from touched t;
    -- Heads say what their slots say: those without one go, the others are made again by the trigger on a slot that is left.
    delete from session_heads h
    using unnest(sessions, agents) as t (session_id, agent_id)
    where h.org_id = org and h.session_id = t.session_id and h.agent_id = t.agent_id;
    update session_slots s
    set calls = s.calls
    from unnest(sessions, agents) as t (session_id, agent_id)
    where s.org_id = org and s.session_id = t.session_id and s.agent_id = t.agent_id and s.slot = (
        select l.slot
        from session_slots l
        where l.org_id = org and l.session_id = t.session_id and l.agent_id = t.agent_id
        order by l.slot desc
        limit 1
    );
    return changed;
end
$$;
comment on function expire_names is 'Gives pseudonyms to an organisation''s users and sessions of a time that its rule no longer keeps.';

create function expire_statements(org text, ends timestamptz) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    abnormal bigint;
    refused bigint;
    told bigint;
begin
    perform from retention r
    where r.org_id = org and ends <= now() - make_interval(days => r.identifier_days);
    if not found then
        raise no_data_found;
    end if;
    update anomalies a
    set session_id = 'expired-' || replace(gen_random_uuid()::text, '-', '')
    where a.org_id = org and a.closed_at < ends and not starts_with(a.session_id, 'expired-');
    get diagnostics abnormal = row_count;
    delete from suspense s where s.arrived_at < ends and coalesce(nullif(s.tenant, ''), 'default') = org;
    get diagnostics refused = row_count;
    delete from alerts a where a.org_id = org and a.resolved_at < ends;
    get diagnostics told = row_count;
    return jsonb_build_object('anomalies', abnormal, 'suspense', refused, 'alerts', told);
end
$$;
comment on function expire_statements is
    'Gives pseudonyms to the sessions of old anomalies, and lets go of refused spans and alerts of that age.';

revoke execute on function
    expire_names(text, timestamptz, timestamptz), expire_statements(text, timestamptz)
from public;
