-- The epoch and every rate newer than a version, as one snapshot; a single row of nulls where there is none.
-- Called by ledger.rates.
select
    e.epoch, r.version, r.org_id, r.provider, r.model_id, r.ended, r.input_femto, r.cached_femto,
    r.cache_write_5m_femto, r.output_femto, r.reasoning_femto, r.dated, r.effective_from, r.created_at, r.source,
    r.author, r.reason
from rate_epoch e
left join every_rate(%(after)s) r on true
order by r.version
