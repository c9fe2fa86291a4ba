-- The slots of the sliding windows are the sums of entries, slot by slot; a session that is just being erased is one under both of
-- its names. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
erasing as (select org_id, identifier, pseudonym from erasures where kind = 'session' and identifier is not null),
raw as (
    select
        n.org_id, coalesce(g.pseudonym, n.session_id) as session_id, n.agent_id,
        date_bin('10 seconds', n.event_time, 'epoch') as slot, sum(n.calls) as calls,
        coalesce(sum(n.cost_pico), 0) as cost_pico, sum(n.unpriced_calls) as unpriced_calls
    from entries n
    cross join kept
    left join erasing g on g.org_id = n.org_id and g.identifier = n.session_id
    where n.event_time >= since and n.calls <> 0
    group by 1, 2, 3, 4
),
kept_slots as (
    select
        n.org_id, coalesce(g.pseudonym, n.session_id) as session_id, n.agent_id, n.slot, sum(n.calls) as calls,
        sum(n.cost_pico) as cost_pico, sum(n.unpriced_calls) as unpriced_calls
    from session_slots n
    cross join kept
    left join erasing g on g.org_id = n.org_id and g.identifier = n.session_id
    where n.slot >= since
    group by 1, 2, 3, 4
),
faulty as (
    select
        coalesce(r.org_id, s.org_id) as org_id, coalesce(r.session_id, s.session_id) as session_id,
        coalesce(r.agent_id, s.agent_id) as agent_id, coalesce(r.slot, s.slot) as slot,
        coalesce(r.calls, 0) as entry_calls, coalesce(s.calls, 0) as slot_calls,
        coalesce(r.cost_pico, 0) as entry_pico, coalesce(s.cost_pico, 0) as slot_pico
    from raw r
    full join kept_slots s on s.org_id = r.org_id and s.session_id = r.session_id and s.agent_id = r.agent_id
        and s.slot = r.slot
    where
        (coalesce(r.calls, 0), coalesce(r.cost_pico, 0), coalesce(r.unpriced_calls, 0))
        is distinct from (coalesce(s.calls, 0), coalesce(s.cost_pico, 0), coalesce(s.unpriced_calls, 0))
)
select
    (select count(*) from raw) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
