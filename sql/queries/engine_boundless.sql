-- Whether the role of this session is bound by no wall, and why. Called by ledger.fitness.
select rolname::text, rolsuper, rolbypassrls from pg_roles where rolname = current_user
