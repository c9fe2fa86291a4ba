-- Forgets by what old erasures are recognised; with the last of them, the key. Called by ledger.erasing.
with gone as (
    update erasures set digest = null
    where digest is not null and finished_at < %(before)s
    returning erasure_id
)
update erasure_epoch
set epoch = epoch + 1,
    key = case
        when exists (select from erasures e where e.digest is not null and not e.erasure_id in (select g.erasure_id from gone g))
            then key
        else sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
    end
where exists (select from gone)
