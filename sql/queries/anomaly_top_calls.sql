-- The dearest calls of a session between two instants, all corrections applied. Called by ledger.anomalies.
select
    encode(trace_id, 'hex') as trace_id,
    encode(span_id, 'hex') as span_id,
    min(event_time) as event_time,
    (array_agg(provider order by revision desc))[1] as provider,
    (array_agg(model_id order by revision desc))[1] as model_id,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(cost_pico) as cost_pico
from entries
where session_id = %(session_id)s and org_id = %(org_id)s and agent_id = %(agent_id)s
    and event_time > %(since)s and event_time <= %(until)s
group by tenant, trace_id, span_id
having sum(calls) <> 0 and sum(cost_pico) is not null
order by cost_pico desc, event_time, trace_id, span_id
limit %(limit)s
