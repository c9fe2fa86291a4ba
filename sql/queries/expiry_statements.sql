-- Likewise for what was found and told of them, and lets go of refused spans. Called by ledger.expiring.
select expire_statements(%(org_id)s, %(ends)s)
