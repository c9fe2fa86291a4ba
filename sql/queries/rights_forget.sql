-- So that walls and grants are applied again. Called by ledger.rights.
delete from rights_applied
