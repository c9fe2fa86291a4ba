-- Moves on in the transaction of what was replaced; with a new key where a day is done. Called by ledger.expiring.
update retention
set nameless_through = %(through)s, looked_at = %(looked_at)s,
    key = case
        when %(done)s then sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')) else key
    end
where org_id = %(org_id)s
