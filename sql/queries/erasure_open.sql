-- The erasure of an identifier that is not finished. Called by ledger.erasing.
select erasure_id::text
from erasures
where org_id = %(org_id)s and kind = %(kind)s and identifier = %(identifier)s
