-- When the application last started. Called by ledger.reports.
select max(started_at) from service_starts
