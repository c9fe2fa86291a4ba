-- Whether a session is called by the id of its trace: nobody named it. Called by ledger.erasing.
select exists (
    select
    from entries e
    where e.org_id = %(org_id)s and e.session_id = %(identifier)s and encode(e.trace_id, 'hex') = %(identifier)s
)
