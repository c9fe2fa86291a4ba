-- The version of a rate before another. Called by ledger.rates for the audit trail.
select
    version, org_id, provider, model_id, ended, input_femto, cached_femto, cache_write_5m_femto, output_femto,
    reasoning_femto, dated, effective_from, created_at, source, author, reason
from rates
where lower(model_id) = %(model)s and provider = %(provider)s and org_id = %(org)s
    and (source = 'operator') = (%(source)s = 'operator') and version < %(version)s
order by version desc
limit 1
