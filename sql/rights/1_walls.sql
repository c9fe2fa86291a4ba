-- The second wall between organisations: what a session may see that speaks for one of them. Applied after the migrations,
-- again whenever this text has changed.
--
-- A session says for whom it speaks by the setting finops.org: of:NAME for one organisation, all for everybody, none (or
-- anything else) for nobody; unset it is not walled, as for the collector, the jobs and whoever looks in by hand.
--
-- Two ways, because neither serves everywhere. Row-level security, where nobody copies into a table and TimescaleDB keeps
-- no aggregates of it: COPY refuses tables with row security, and TimescaleDB 2.29 refuses columnstore and continuous
-- aggregates over them. For entries, spans and the aggregates, views of the same names in the schema walled, which comes
-- first in the search path of the query API. They are no barrier views: our own text is all that is ever asked of them, and
-- a barrier would keep the conditions of joins from reaching the keys.

create or replace function walled_org() returns text language sql stable parallel safe as $$
    select case
        when coalesce(current_setting('finops.org', true), '') in ('', 'all') then null
        when starts_with(current_setting('finops.org', true), 'of:') then substr(current_setting('finops.org', true), 4)
        else chr(1)
    end
$$;
comment on function walled_org() is 'The organisation this session speaks for; null: for all of them.';

-- Prices are made of every rate, whoever asks: a book that lacked another organisation's rates would bill it wrongly.
create or replace function every_rate(after bigint) returns setof rates language plpgsql stable as $$
declare
    before constant text := coalesce(current_setting('finops.org', true), '');
begin
    perform set_config('finops.org', 'all', true);
    return query select * from rates r where r.version > after;
    perform set_config('finops.org', before, true);
end
$$;
comment on function every_rate is 'The rates newer than a version, past the wall: for price books and never for answers.';

drop schema if exists walled cascade;
create schema walled;
create view walled.entries as
select * from public.entries
where (select walled_org()) is null or org_id = (select walled_org())
with check option;
create view walled.spans as
select * from public.spans
where (select walled_org()) is null or org_id = (select walled_org())
with check option;

-- own: rows of one organisation. shared: org_id '' is everybody's to read and nobody's alone to change. common: everybody
-- reads, and only who speaks for all changes. trail: as own, but what was done is written down whoever did it. Tables
-- whose rows belong to no organisation are not here.
do $$
declare
    one record;
    mine constant text := '((select walled_org()) is null or %1$s = (select walled_org()))';
    anybodys constant text := '((select walled_org()) is null or %1$s in ('''', (select walled_org())))';
    unwalled constant text := '((select walled_org()) is null)';
    seen text;
    changed text;
    added text;
begin
    for one in
        select *
        from (
            values
            ('session_slots', 'own', 'org_id'),
            ('session_heads', 'own', 'org_id'),
            ('anomalies', 'own', 'org_id'),
            ('agent_hours', 'own', 'org_id'),
            ('suspense', 'own', 'coalesce(nullif(tenant, ''''), ''default'')'),
            ('intake', 'own', 'org_id'),
            ('verdict_sums', 'own', 'org_id'),
            ('audit', 'trail', 'org_id'),
            ('reprice_runs', 'own', 'org_id'),
            ('erasures', 'own', 'org_id'),
            ('retention', 'own', 'org_id'),
            ('rates', 'shared', 'org_id'),
            ('baselines', 'shared', 'org_id'),
            ('deployments', 'common', ''),
            ('budgets', 'own', '(case jsonb_array_length(scope -> ''org'') when 1 then scope -> ''org'' ->> 0 end)'),
            (
                'budget_firings', 'own',
                '(select b.scope -> ''org'' ->> 0 from budgets b where b.budget_id = budget_firings.budget_id)'
            ),
            ('alerts', 'own', 'org_id'),
            ('alert_destinations', 'shared', 'org_id'),
            ('alert_silences', 'shared', 'org_id')
        ) as listed (name, kind, org)
        where to_regclass('public.' || listed.name) is not null
    loop
        seen := case one.kind when 'shared' then format(anybodys, one.org) when 'common' then '(true)'
            else format(mine, one.org) end;
        changed := case one.kind when 'common' then unwalled else format(mine, one.org) end;
        added := case one.kind when 'trail' then '(true)' else changed end;
        execute format('alter table public.%I enable row level security', one.name);
        execute format('drop policy if exists wall_select on public.%I', one.name);
        execute format('drop policy if exists wall_insert on public.%I', one.name);
        execute format('drop policy if exists wall_update on public.%I', one.name);
        execute format('drop policy if exists wall_delete on public.%I', one.name);
        execute format('create policy wall_select on public.%I for select using %s', one.name, seen);
        execute format('create policy wall_insert on public.%I for insert with check %s', one.name, added);
        execute format('create policy wall_update on public.%I for update using %s', one.name, changed);
        execute format('create policy wall_delete on public.%I for delete using %s', one.name, changed);
    end loop;
end
$$;
