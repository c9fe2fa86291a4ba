-- Wants the days of a zone from now on, unless there are enough zones. Called by ledger.block_calendars.
insert into block_calendars (zone, step)
select %(zone)s, 'day'
where (select count(*) from block_calendars where step = 'day') < %(zones_max)s
on conflict do nothing
