-- Whether the newest table the reports read is there. Called by ledger.reading.
select to_regclass('alerts') is not null
