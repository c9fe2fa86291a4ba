-- The heads of sessions say when the first and the last call of their slots were, hold at least what the window up to now
-- holds, and are there for every session of the last hour. Long idle ones may be gone, as may slots that retention let go.
-- Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
made as (
    select
        h.org_id, h.session_id, h.agent_id, h.first_at, h.last_at, h.spend_bound_pico,
        coalesce(first_slot.first_at, 'infinity') as slots_first_at,
        coalesce(last_slot.last_at, '-infinity') as slots_last_at,
        recent.spend_pico as window_pico
    from session_heads h
    cross join burn_window w
    left join lateral (
        select s.first_at
        from session_slots s
        where s.org_id = h.org_id and s.session_id = h.session_id and s.agent_id = h.agent_id and s.calls <> 0
        order by s.slot
        limit 1
    ) first_slot on true
    left join lateral (
        select s.last_at
        from session_slots s
        where s.org_id = h.org_id and s.session_id = h.session_id and s.agent_id = h.agent_id and s.calls <> 0
        order by s.slot desc
        limit 1
    ) last_slot on true
    cross join lateral (
        select coalesce(sum(s.cost_pico), 0) as spend_pico
        from session_slots s
        where s.org_id = h.org_id and s.session_id = h.session_id and s.agent_id = h.agent_id
            and s.slot > clock_timestamp() - make_interval(secs => w.seconds)
    ) recent
),
faulty as (
    select m.org_id, m.session_id, m.agent_id, m.first_at, m.slots_first_at, m.last_at, m.slots_last_at,
        m.spend_bound_pico, m.window_pico
    from made m, kept
    where (m.last_at >= since or m.last_at = '-infinity') and (
        m.last_at <> m.slots_last_at
        or (m.first_at <> m.slots_first_at and m.first_at >= since)
        or m.spend_bound_pico < m.window_pico
    )
    union all
    select s.org_id, s.session_id, s.agent_id, null, min(s.first_at), null, max(s.last_at), null, sum(s.cost_pico)
    from session_slots s
    where s.slot > now() - interval '1 hour' and s.calls <> 0 and not exists (
        select
        from session_heads h
        where h.org_id = s.org_id and h.session_id = s.session_id and h.agent_id = s.agent_id
    )
    group by s.org_id, s.session_id, s.agent_id
)
select
    (select count(*) from session_heads) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
