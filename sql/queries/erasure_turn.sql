-- Tells every collector, with its next append, that what it must replace has changed; says the key of the digests. Called by
-- ledger.erasing and ledger.retention.
update erasure_epoch set epoch = epoch + 1 returning key
