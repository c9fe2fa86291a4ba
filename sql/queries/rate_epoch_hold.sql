-- Takes the place of the next change of rates and deployments until the end of the transaction. Called by ledger.rates.
select epoch from rate_epoch for update
