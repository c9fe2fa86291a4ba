-- An erasure that is not finished, held until the commit. Called by ledger.erasing.
select org_id, kind, identifier, pseudonym, phase, cursor_tenant, cursor_trace, cursor_span, cursor_id, requested_by, reason
from erasures
where erasure_id = %(erasure_id)s and identifier is not null
for update
