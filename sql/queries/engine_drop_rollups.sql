-- Makes room for continuous aggregates of the same names. Called by ledger.switch_engine.
drop table usage_15m, usage_1d
