-- Notes that a threshold is told. Called by ledger.budget_watch.
insert into budget_firings (budget_id, member, period_start, threshold, limit_pico, spent_pico, fired_at)
values (
    %(budget_id)s, %(member)s, %(period_start)s, %(threshold)s, %(limit_pico)s, %(spent_pico)s, %(fired_at)s
)
