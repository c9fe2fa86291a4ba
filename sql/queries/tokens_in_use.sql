-- The tokens the ledger holds of each model, over all time. Called by ledger.rates.
select
    provider, model_id, sum(input_tokens), sum(output_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
    sum(reasoning_tokens)
from usage_1d
where calls <> 0
group by provider, model_id
limit %(limit)s
