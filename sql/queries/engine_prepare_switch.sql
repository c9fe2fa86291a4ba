-- Holds off every append until the end of the transaction, and says since when entries are kept. Called by
-- ledger.switch_engine.
with heads as (
    select shard from append_heads order by shard for update
)
select entries_since
from storage_progress
where (select count(*) from heads) > 0
