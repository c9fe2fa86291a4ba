-- Of some sessions, those with a call of a model or in an environment since an instant. Called by ledger.anomalies.
select distinct e.org_id, e.session_id, e.agent_id
from entries e
where e.session_id = any(%(sessions)s) and e.event_time > %(since)s and e.calls <> 0
    and (%(models)s::text[] is null or e.model_id = any(%(models)s))
    and (%(environments)s::text[] is null or e.environment = any(%(environments)s))
