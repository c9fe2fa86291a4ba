-- How many calls of some kinds wait for a price. Called by ledger.unpriced.
select count(*) from (select from unpriced where kind = any(%(kinds)s) limit %(limit)s) as waiting
