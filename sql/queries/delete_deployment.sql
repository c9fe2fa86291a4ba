-- Forgets which model a deployment runs, and tells every collector. Called by ledger.rates.
with bumped as (
    update rate_epoch set epoch = epoch + 1 returning epoch
),

gone as (
    delete from deployments where provider = %(provider)s and lower(deployment) = %(deployment)s
)

select epoch, pg_notify('finops_rates', epoch::text) from bumped
