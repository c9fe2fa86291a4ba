-- Before when nothing happened of which a name may be left: a day before the oldest entry, because spans may be somewhat older.
-- Called by ledger.expiring before an organisation's first day.
select min(event_time) - interval '1 day' from entries
