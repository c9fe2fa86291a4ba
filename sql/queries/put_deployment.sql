-- Says which model a deployment runs, and tells every collector. Called by ledger.rates.
with bumped as (
    update rate_epoch set epoch = epoch + 1 returning epoch
),

stored as (
    insert into deployments (provider, deployment, model_id, updated_at, updated_by)
    values (%(provider)s, %(deployment)s, %(model_id)s, %(now)s, %(author)s)
    on conflict (provider, deployment) do update
    set model_id = excluded.model_id, updated_at = excluded.updated_at, updated_by = excluded.updated_by
)

select epoch, pg_notify('finops_rates', epoch::text) from bumped
