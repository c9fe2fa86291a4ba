-- Adds a budget. Called by ledger.budgets.
insert into budgets (
    budget_id, name, scope, each, unit, zone, week_starts_on, rolling_hours, limit_pico, thresholds, mode, on_unknown,
    raised_pico, raised_since, raised_until, counted_since, created_at, updated_at, updated_by
)
values (
    %(budget_id)s, %(name)s, %(scope)s::text::jsonb, %(each)s, %(unit)s, %(zone)s, %(week_starts_on)s,
    %(rolling_hours)s, %(limit_pico)s, %(thresholds)s::integer[], %(mode)s, %(on_unknown)s, %(raised_pico)s,
    %(raised_since)s, %(raised_until)s, %(counted_since)s, %(created_at)s, %(updated_at)s, %(updated_by)s
)
