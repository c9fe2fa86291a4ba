-- How many erasures are not finished, and how many days of names there are that should be gone, of whichever organisation has most.
-- Called by ledger.privacy_state.
select
    (select count(*) from erasures where identifier is not null),
    (
        select coalesce(max(
            date_trunc('day', %(now)s - make_interval(days => r.identifier_days), 'UTC')::date
            - coalesce(r.nameless_through, (select min(e.event_time) from entries e), %(now)s)::date
        ), 0)
        from retention r
        where r.identifier_days is not null
    )
