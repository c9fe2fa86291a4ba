-- Remembers the texts that were applied, in their transaction. Called by ledger.rights.
insert into rights_applied (sha256) values (%(sha256)s)
on conflict (only_row) do update set sha256 = excluded.sha256, applied_at = now()
