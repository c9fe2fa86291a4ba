-- Takes ranges away that were refreshed on every level. Called by ledger.refresh.
delete from dirty_ranges where id = any(%(ids)s)
