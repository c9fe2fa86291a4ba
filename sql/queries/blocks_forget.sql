-- Lets go of quarters of days that are old enough to be answered from whole days. Called by ledger.block_calendars.
with gone as (
    delete from blocks where ends <= %(edge)s and ends - starts <= interval '6 hours' returning starts, ends
)
delete from usage_blocks u using gone g where u.starts = g.starts and u.ends = g.ends
