-- The instrumentations that have reported calls. Called by ledger.call_scopes.
select tenant, scope, without_id from call_scopes where tenant = any(%(tenants)s)
