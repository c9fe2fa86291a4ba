-- Erasures, the newest first; without what is erased. Called by ledger.erasing.
select
    erasure_id::text, number, org_id, kind, pseudonym, requested_at, requested_by, reason, phase, counts, finished_at
from erasures
where (%(erasure_id)s::uuid is null or erasure_id = %(erasure_id)s)
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and number < %(before)s
order by number desc
limit %(limit)s
