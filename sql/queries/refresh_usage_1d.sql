-- Materialises days again, from quarter hours. Called by ledger.refresh, outside of any transaction; forced, because
-- the queue knows better than TimescaleDB's own log what changed (see migration 0008).
call refresh_continuous_aggregate('usage_1d', %(starts)s::timestamptz, %(ends)s::timestamptz, force => true)
