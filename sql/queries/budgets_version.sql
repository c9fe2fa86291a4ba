-- Changes whenever a budget is added, changed or deleted: each row with the transaction that wrote it. Called by
-- ledger.budgets.
select coalesce(md5(string_agg(number || ':' || xmin::text, ',' order by number)), '') from budgets
