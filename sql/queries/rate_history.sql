-- Versions of rates, the newest first. Called by ledger.rates.
select
    version, org_id, provider, model_id, ended, input_femto, cached_femto, cache_write_5m_femto, output_femto,
    reasoning_femto, dated, effective_from, created_at, source, author, reason
from rates
where (%(models)s::text[] is null or lower(model_id) = any(%(models)s))
    and (%(providers)s::text[] is null or provider = any(%(providers)s))
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and version < %(before)s
order by version desc
limit %(limit)s
