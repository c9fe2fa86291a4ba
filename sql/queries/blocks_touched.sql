-- The blocks that a range is a part of. Called by ledger.blocks when entries came late.
select starts, ends
from blocks
where starts < %(ends)s and starts > %(starts)s::timestamptz - interval '8 days' and ends > %(starts)s
order by starts, ends
