-- What senders say their calls cost, beside what the ledger says. Called by ledger.coverage.
select
    provider,
    model_id,
    sum(calls)::bigint as calls,
    sum(unpriced_calls)::bigint as unpriced_calls,
    sum(reported_cost_pico) as reported_pico,
    coalesce(sum(reported_cost_pico) filter (where cost_pico is not null), 0) as reported_for_priced_pico,
    coalesce(sum(cost_pico), 0) as cost_pico
from entries
where reported_cost_pico is not null and event_time >= %(start)s and event_time < %(end)s
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    and (%(models)s::text[] is null or model_id = any(%(models)s))
    and (%(environments)s::text[] is null or environment = any(%(environments)s))
group by provider, model_id
having sum(calls) <> 0
order by
    abs(coalesce(sum(reported_cost_pico) filter (where cost_pico is not null), 0) - coalesce(sum(cost_pico), 0)) desc,
    provider,
    model_id
limit 1000
