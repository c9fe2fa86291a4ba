-- Takes the right to append for some shards of tenants, and says who appended last and which rates hold since then.
-- Called by ledger.append and ledger.corrections.
select shard, writer, epoch, erasures from take_heads(%(shards)s::integer[])
