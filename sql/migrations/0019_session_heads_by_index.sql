-- Heads and slots are found by their keys, one session after the other, whatever is known of the tables' sizes. A connection
-- keeps the plans of a trigger: made while the tables were small, or taken for a large share of them, they read whole tables for
-- every session of every append.
create or replace function note_session_heads() returns trigger language plpgsql
set enable_seqscan = off as $$
begin
    -- First the locks, in order: so the sums below see what whoever held them has written.
    perform
    from (select distinct d.org_id, d.session_id, d.agent_id from touched d order by 1, 2, 3) t
    cross join lateral (
        select
        from session_heads h
        where h.org_id = t.org_id and h.session_id = t.session_id and h.agent_id = t.agent_id
        for no key update
    ) held;
    insert into session_heads as h (org_id, session_id, agent_id, first_at, last_at, spend_bound_pico)
    select
        t.org_id, t.session_id, t.agent_id, coalesce(first_slot.first_at, 'infinity'),
        coalesce(last_slot.last_at, '-infinity'), recent.spend_pico
    from (select distinct d.org_id, d.session_id, d.agent_id from touched d) t
    cross join burn_window w
    left join lateral (
        select s.first_at
        from session_slots s
        where s.org_id = t.org_id and s.session_id = t.session_id and s.agent_id = t.agent_id and s.calls <> 0
        order by s.slot
        limit 1
    ) first_slot on true
    left join lateral (
        select s.slot, s.last_at
        from session_slots s
        where s.org_id = t.org_id and s.session_id = t.session_id and s.agent_id = t.agent_id and s.calls <> 0
        order by s.slot desc
        limit 1
    ) last_slot on true
    cross join lateral (
        select coalesce(sum(s.cost_pico), 0) as spend_pico
        from session_slots s
        where s.org_id = t.org_id and s.session_id = t.session_id and s.agent_id = t.agent_id
            and s.slot > least(last_slot.slot, now()) - make_interval(secs => w.seconds + 60)
    ) recent
    order by t.org_id, t.session_id, t.agent_id
    on conflict (org_id, session_id, agent_id) do update set
        first_at = excluded.first_at, last_at = excluded.last_at, spend_bound_pico = excluded.spend_bound_pico;
    return null;
end
$$;
