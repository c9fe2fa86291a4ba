-- Takes every right to append until the end of the transaction, in the order in which appends take theirs: so quarter hours
-- and blocks are of one moment. Called by ledger.block_calendars where the append keeps the sums itself.
select count(*) from (select from append_heads order by shard for update) held
