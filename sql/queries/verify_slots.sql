-- The slots of the sliding windows are the sums of entries, slot by slot. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
raw as (
    select
        org_id, session_id, agent_id, date_bin('10 seconds', event_time, 'epoch') as slot, sum(calls) as calls,
        coalesce(sum(cost_pico), 0) as cost_pico, sum(unpriced_calls) as unpriced_calls
    from entries, kept
    where event_time >= since and calls <> 0
    group by 1, 2, 3, 4
),
faulty as (
    select
        coalesce(r.org_id, s.org_id) as org_id, coalesce(r.session_id, s.session_id) as session_id,
        coalesce(r.agent_id, s.agent_id) as agent_id, coalesce(r.slot, s.slot) as slot,
        coalesce(r.calls, 0) as entry_calls, coalesce(s.calls, 0) as slot_calls,
        coalesce(r.cost_pico, 0) as entry_pico, coalesce(s.cost_pico, 0) as slot_pico
    from raw r
    full join (select session_slots.* from session_slots, kept where slot >= since) s on s.org_id = r.org_id and s.session_id = r.session_id and s.agent_id = r.agent_id
        and s.slot = r.slot
    where
        (coalesce(r.calls, 0), coalesce(r.cost_pico, 0), coalesce(r.unpriced_calls, 0))
        is distinct from (coalesce(s.calls, 0), coalesce(s.cost_pico, 0), coalesce(s.unpriced_calls, 0))
)
select
    (select count(*) from raw) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
