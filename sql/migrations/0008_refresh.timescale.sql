-- Finds what comes late, keeps the aggregates fresh in any case, and packs what is old.

-- The lock is the one ledger.refresh takes alone before it moves the frontier: so nothing below it goes unnoticed.
-- Beside a trigger that sees the rows of a statement, TimescaleDB 2.29 keeps no log of its own of what COPY invalidates;
-- so this queue is the only one, and refreshes are forced.
create function note_dirty_ranges() returns trigger
language plpgsql
as $body$
begin
    perform pg_advisory_xact_lock_shared(7013414902);
    insert into dirty_ranges (starts, ends, late, claimed)
    select found.starts, found.starts + interval '15 minutes', true, false
    from (
        select distinct time_bucket(interval '15 minutes', a.event_time) as starts
        from added a
        where a.event_time < (select p.materialized_through from storage_progress p)
    ) found
    where not exists (
        select from dirty_ranges d
        where not d.claimed and d.starts <= found.starts and d.ends > found.starts and d.noted_at <= now()
    )
    order by found.starts;
    return null;
end
$body$;

create trigger entries_note_dirty_ranges
after insert on entries
referencing new table as added
for each statement execute function note_dirty_ranges();

-- Older than the late window, entries are packed by column; corrections may still come, only slower.
alter table entries set (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'org_id',
    timescaledb.orderby = 'event_time desc, tenant, trace_id, span_id, revision'
);
call add_columnstore_policy('entries', after => interval '7 days');

alter materialized view usage_15m set (
    timescaledb.enable_columnstore, timescaledb.segmentby = 'org_id', timescaledb.orderby = 'bucket desc'
);
call add_columnstore_policy('usage_15m', after => interval '60 days');
