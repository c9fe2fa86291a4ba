-- What the sums by quarter hour are: a table to be kept, or a view. Called by ledger.engine.
select case relkind when 'v' then 'view' else 'table' end from pg_class where oid = to_regclass('usage_15m')
