-- Gives pseudonyms to an organisation's users and sessions of a time. Called by ledger.expiring.
select expire_names(%(org_id)s, %(starts)s, %(ends)s)
