-- Lowers the bounds of sessions with nothing left in any window, the longest that anybody asks for included: another query
-- API may have a longer one than this judge. Called by ledger.session_heads.
update session_heads
set spend_bound_pico = 0
where ctid = any(
    array(
        select h.ctid
        from session_heads h, burn_window w
        where
            h.last_at < least(%(now)s::timestamptz, now())
                - greatest(%(age)s::interval, make_interval(secs => w.seconds) + %(spare)s::interval)
            and h.spend_bound_pico > 0
        limit %(limit)s
    )
)
