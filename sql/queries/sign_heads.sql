-- Leaves this collector's name on the shards it appended to. Called by ledger.append.
update append_heads set seq = seq + 1, writer = %(writer)s where shard = any(%(shards)s)
