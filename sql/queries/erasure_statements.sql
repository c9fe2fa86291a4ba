-- Replaces the identifier of an erasure in budgets and alerts; keys of alerts are told before and after. Called by ledger.erasing.
select erase_from_statements(%(erasure_id)s, %(now)s, %(before)s, %(after)s)
