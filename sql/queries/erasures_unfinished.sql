-- Erasures that are not finished, the oldest first. Called by ledger.erasing.
select erasure_id::text from erasures where identifier is not null order by number limit %(limit)s
