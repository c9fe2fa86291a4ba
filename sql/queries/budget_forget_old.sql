-- Forgets thresholds that were over before an instant. Called by ledger.budget_watch.
delete from budget_firings where cleared_at < %(edge)s
