-- The blocks that lie within a period. Called by ledger.blocks for every report.
select starts, ends
from blocks
where starts >= %(start)s and starts < %(end)s and ends <= %(end)s
order by starts, ends
