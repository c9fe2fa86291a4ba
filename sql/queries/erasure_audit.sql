-- Replaces the identifier of an erasure in the audit trail; says in which rows. Called by ledger.erasing.
select erase_from_audit(%(erasure_id)s)
