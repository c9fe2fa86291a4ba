-- States how many days an organisation's names are kept; null: no rule any more. Called by ledger.retention_rules.
insert into retention as r (org_id, identifier_days, updated_at, updated_by)
values (%(org_id)s, %(identifier_days)s, %(now)s, %(actor)s)
on conflict (org_id) do update set
    identifier_days = excluded.identifier_days, updated_at = excluded.updated_at, updated_by = excluded.updated_by
returning org_id, identifier_days, nameless_through, updated_at, updated_by
