-- The first day of which there are sums. Called by ledger.block_calendars.
select min(bucket) from usage_1d
