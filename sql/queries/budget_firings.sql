-- The thresholds told of a budget that may still matter: those that stand, and those told since an instant. Called by
-- ledger.budget_watch and ledger.budgets.
select member, period_start, threshold, limit_pico, spent_pico, fired_at, cleared_at
from budget_firings
where budget_id = %(budget_id)s and (cleared_at is null or period_start >= %(since)s or fired_at >= %(since)s)
