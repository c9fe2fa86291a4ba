-- Alerts that fire. Called by ledger.alert_history for metrics.
select kind, severity, count(*)
from alerts
where resolved_at is null and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
group by kind, severity
order by kind, severity
