-- The texts of walls and grants that this database has, and whether every role exists. Called by ledger.rights.
select
    (select sha256 from rights_applied),
    to_regrole('finops_collector') is not null and to_regrole('finops_api') is not null
    and to_regrole('finops_jobs') is not null and to_regrole('finops_reader') is not null
