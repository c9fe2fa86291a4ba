-- Which stretches are wanted, and until when they are built. Called by ledger.block_calendars.
select zone, step, built_through from block_calendars order by step desc, asked_at, zone
