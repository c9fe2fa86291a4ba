-- How often erasures have changed, the key of their digests, and what collectors must replace. Called by ledger.erased.
select c.epoch, c.key, e.org_id, e.kind, e.digest, e.pseudonym, e.finished_at
from erasure_epoch c
left join erasures e on e.digest is not null
