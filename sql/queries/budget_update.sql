-- States a budget anew; its number and when it was created stay. Called by ledger.budgets.
update budgets
set name = %(name)s, scope = %(scope)s::text::jsonb, each = %(each)s, unit = %(unit)s, zone = %(zone)s,
    week_starts_on = %(week_starts_on)s, rolling_hours = %(rolling_hours)s, limit_pico = %(limit_pico)s,
    thresholds = %(thresholds)s::integer[], mode = %(mode)s, on_unknown = %(on_unknown)s,
    raised_pico = %(raised_pico)s, raised_since = %(raised_since)s, raised_until = %(raised_until)s,
    counted_since = %(counted_since)s, updated_at = %(updated_at)s, updated_by = %(updated_by)s
where budget_id = %(budget_id)s
