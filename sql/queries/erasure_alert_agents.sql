-- The agents of which alerts of anomalies name a session. Called by ledger.erasing for the keys of those alerts.
select distinct agent_id
from alerts
where kind = 'anomaly' and org_id = %(org_id)s and labels ->> 'sessionId' = %(identifier)s
