-- The traces of an organisation's spans of a time. Called by ledger.expiring.
select distinct s.tenant, s.trace_id
from spans s
where s.org_id = %(org_id)s and s.event_time >= %(starts)s and s.event_time < %(ends)s
