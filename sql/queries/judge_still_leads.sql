-- Answers as long as the connection lives, and with it the lead. Called by ledger.leadership.
select true
