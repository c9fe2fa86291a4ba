-- Remembers that a service started. Called by ledger.reports.
insert into service_starts (service, started_at) values (%(service)s, %(started_at)s)
on conflict (service) do update set started_at = excluded.started_at
