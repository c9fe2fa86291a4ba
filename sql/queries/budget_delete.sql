-- Deletes a budget and what was told of it. Called by ledger.budgets.
delete from budgets where budget_id = %(budget_id)s
