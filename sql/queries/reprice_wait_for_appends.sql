-- Waits until every append that may hold older rates has committed. Called by ledger.unpriced.
select count(*) from (select shard from append_heads order by shard for update) as heads
