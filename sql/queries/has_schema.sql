-- Whether the newest table the reports read is there. Called by ledger.reading.
select to_regclass('audit') is not null
