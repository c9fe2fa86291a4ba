-- Holds the end of the audit trail until the commit. Called by ledger.audit.
select seq from audit_head for update
