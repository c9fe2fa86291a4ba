-- One budget, held until the end of the transaction: whoever changes it takes turns. Called by ledger.budgets.
select
    budget_id::text, name, scope, each, unit, zone, week_starts_on, rolling_hours, limit_pico, thresholds, mode, on_unknown,
    raised_pico, raised_since, raised_until, counted_since, created_at, updated_at, updated_by, number
from budgets
where budget_id = %(budget_id)s
for update
