-- Sessions or users with entries recorded since an instant: those whose spend may have changed. Called by
-- ledger.budget_watch.
select distinct case %(each)s::text when 'session' then session_id else user_id end as member
from entries
where recorded_s >= %(recorded_since)s and event_time >= %(start)s and event_time < %(end)s and calls <> 0
    and (%(org)s::text[] is null or org_id = any(%(org)s))
    and (%(team)s::text[] is null or team_id = any(%(team)s))
    and (%(agent)s::text[] is null or agent_id = any(%(agent)s))
    and (%(model)s::text[] is null or model_id = any(%(model)s))
    and (%(environment)s::text[] is null or environment = any(%(environment)s))
    and (%(session)s::text[] is null or session_id = any(%(session)s))
    and (%(user)s::text[] is null or user_id = any(%(user)s))
limit %(limit)s
