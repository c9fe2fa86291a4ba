-- The hour to look at next, if anything ever happened; none is older than what is worth it. Called by ledger.agent_hours.
select greatest(next.hour, %(oldest)s)
from (
    select
        coalesce(
            d.through,
            (select date_trunc('hour', min(s.slot), 'UTC') from session_slots s where s.slot >= %(oldest)s)
        ) as hour
    from agent_hours_done d
) next
where next.hour is not null
