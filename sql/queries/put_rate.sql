-- Stores a version of a rate, or its end, and tells every collector. The lock on rate_epoch orders all changes.
-- Called by ledger.rates.
with bumped as (
    update rate_epoch set epoch = epoch + 1 returning epoch
),

stored as (
    insert into rates (
        version, org_id, provider, model_id, ended, input_femto, cached_femto, cache_write_5m_femto, output_femto,
        reasoning_femto, dated, effective_from, created_at, source, author, reason
    )
    select
        epoch, %(org_id)s, %(provider)s, %(model_id)s, %(ended)s, %(input)s, %(cached)s, %(cache_write_5m)s, %(output)s,
        %(reasoning)s, %(dated)s, %(effective_from)s, %(created_at)s, %(source)s, %(author)s, %(reason)s
    from bumped
    returning version
)

select version, pg_notify('finops_rates', version::text) from stored
