-- An organisation's spans of a time whose names have gone that arrived since: of the earliest arrivals so many, and all that arrived
-- with the last of them. Called by ledger.expiring.
select s.tenant, s.trace_id, s.event_time, s.arrived_at
from spans s
where s.org_id = %(org_id)s and s.event_time < %(through)s and s.arrived_at >= %(since)s and s.arrived_at < %(until)s
order by s.arrived_at
fetch first %(limit)s rows with ties
