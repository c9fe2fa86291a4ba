-- How many times a rate has changed. Called by ledger.rates.
select epoch from rate_epoch
