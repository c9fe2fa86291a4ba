-- The thresholds told of a user or session. Called by ledger.erasing for the keys of their alerts.
select f.budget_id::text, f.period_start, f.threshold, f.limit_pico
from budget_firings f
join budgets b on b.budget_id = f.budget_id
where b.each = %(kind)s and f.member = %(identifier)s
