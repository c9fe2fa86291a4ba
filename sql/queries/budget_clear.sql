-- Notes that a threshold that was told is over. Called by ledger.budget_watch and ledger.budgets.
update budget_firings
set cleared_at = %(at)s
where budget_id = %(budget_id)s and member = %(member)s and period_start = %(period_start)s
    and threshold = %(threshold)s and limit_pico = %(limit_pico)s
