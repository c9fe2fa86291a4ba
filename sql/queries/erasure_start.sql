-- Remembers an erasure before it changes anything. Called by ledger.erasing.
insert into erasures (erasure_id, org_id, kind, identifier, digest, pseudonym, requested_at, requested_by, reason)
values (
    %(erasure_id)s, %(org_id)s, %(kind)s, %(identifier)s, %(digest)s, %(pseudonym)s, %(now)s, %(actor)s, %(reason)s
)
