-- Forgets all blocks, to be built anew: their sums are no longer told what comes late. Called by ledger.switch_engine.
with sums as (
    delete from usage_blocks
),
calendars as (
    update block_calendars set built_through = null
)
delete from blocks
