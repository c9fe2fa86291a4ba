-- The views over the sums, which their migration makes again. Called by ledger.switch_engine.
drop view spend_15m, spend_1d
