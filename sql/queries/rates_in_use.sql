-- Which models the ledger has calls of. Called by ledger.rates.
select distinct org_id, provider, model_id from usage_1d where calls <> 0 limit %(limit)s
