-- Names of deployments and the models behind them. Called by ledger.rates.
select provider, lower(deployment), model_id from deployments order by provider, deployment
