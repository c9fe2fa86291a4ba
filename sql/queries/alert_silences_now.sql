-- Silences that are not over. Called by ledger.alert_outbox and ledger.alert_silences.
select silence_id::text, org_id, matchers, starts_at, ends_at, comment, created_at, created_by
from alert_silences
where ends_at > %(now)s and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
order by ends_at, silence_id
limit %(limit)s
