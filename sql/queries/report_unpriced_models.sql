-- Models with calls that have no price. Called by ledger.coverage.
select
    provider,
    model_id,
    sum(unpriced_calls)::bigint as calls,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    sum(unmetered_calls)::bigint as unmetered_calls
from entries
where unpriced_calls <> 0 and event_time >= %(start)s and event_time < %(end)s
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    and (%(models)s::text[] is null or model_id = any(%(models)s))
    and (%(environments)s::text[] is null or environment = any(%(environments)s))
group by provider, model_id
having sum(unpriced_calls) <> 0
order by calls desc, provider, model_id
limit 1000
