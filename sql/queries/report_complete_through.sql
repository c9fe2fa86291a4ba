-- Everything recorded up to this instant is seen by the transaction; and how many ranges of late entries are still to
-- be summed again. Called by ledger.reading.
select coalesce(min(noted_at), now()), count(*)::integer from dirty_ranges where late
