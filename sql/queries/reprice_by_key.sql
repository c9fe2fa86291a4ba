-- Lets this transaction walk along the key and nothing else: without fresh statistics a page would otherwise be found by
-- reading and sorting everything that comes after it. Called by ledger.corrections.
select
    set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)
