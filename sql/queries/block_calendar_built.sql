-- Remembers until when the stretches of a calendar are built. Called by ledger.block_calendars.
update block_calendars set built_through = %(through)s where zone = %(zone)s and step = %(step)s
