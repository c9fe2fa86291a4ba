-- Identifiers that are being replaced, and what by. Called by ledger.erased for whoever checks the ledger meanwhile.
select org_id, kind, identifier, pseudonym from erasures where identifier is not null
