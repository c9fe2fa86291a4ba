-- Takes away what a block was summed up to, to be summed again in the same transaction. Called by ledger.blocks.
delete from usage_blocks where starts = %(starts)s and ends = %(ends)s
