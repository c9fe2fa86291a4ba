-- Forgets what was told of a budget that counts something else now. Called by ledger.budgets.
delete from budget_firings where budget_id = %(budget_id)s
