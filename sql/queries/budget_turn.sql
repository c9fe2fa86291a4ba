-- Takes the turn to tell thresholds of a budget; fails where somebody took one, or stated the budget anew, since this
-- transaction began to look. Called by ledger.budget_watch.
update budgets set turns = turns + 1 where budget_id = %(budget_id)s
