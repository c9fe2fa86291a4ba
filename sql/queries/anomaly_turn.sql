-- Lets one judge at a time write anomalies, until its commit. Called by ledger.anomaly_pass.
select pg_advisory_xact_lock(7013414905)
