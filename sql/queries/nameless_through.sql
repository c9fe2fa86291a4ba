-- Before which instant users and sessions of some organisations have lost their names; null: of none. Called by ledger.costs.
select max(nameless_through) from retention where %(orgs)s::text[] is null or org_id = any(%(orgs)s)
