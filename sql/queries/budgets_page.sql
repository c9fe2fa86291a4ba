-- Budgets, the newest first; of one organisation only those whose scope is that organisation. Called by ledger.budgets.
select
    budget_id::text, name, scope, each, unit, zone, week_starts_on, rolling_hours, limit_pico, thresholds, mode, on_unknown,
    raised_pico, raised_since, raised_until, counted_since, created_at, updated_at, updated_by, number
from budgets
where number < %(before)s and (%(org)s::text is null or scope -> 'org' = jsonb_build_array(%(org)s::text))
order by number desc
limit %(limit)s
