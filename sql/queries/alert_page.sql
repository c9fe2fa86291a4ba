-- Alerts, the newest first. Called by ledger.alert_history.
select alert_id, alert_snapshot(a)::text, fired_at, updated_at, resolved_at
from alerts a
where alert_id < %(before)s
    and (%(alert_id)s::bigint is null or alert_id = %(alert_id)s)
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    and (%(kinds)s::text[] is null or kind = any(%(kinds)s))
    and (%(severities)s::text[] is null or severity = any(%(severities)s))
    and (%(firing)s::boolean is null or (resolved_at is null) = %(firing)s)
order by alert_id desc
limit %(limit)s
