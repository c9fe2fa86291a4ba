-- For whom the open transaction speaks; see sql/rights/1_walls.sql. Called by ledger.reading.
select set_config('finops.org', %(speaks_for)s, true)
