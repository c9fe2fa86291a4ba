-- How many budgets there are. Called by ledger.budgets.
select count(*)::integer from budgets
