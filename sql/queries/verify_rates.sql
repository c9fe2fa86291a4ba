-- Every version of a rate is as the audit trail says it was stated, none is missing and none was put behind its back; since
-- the first one that the trail tells, each change of a rate or a deployment made the next version. Called by ledger.verify.
with stated as (
    select
        seq, at, actor, org_id, reason, after ->> 'provider' as provider, after ->> 'modelId' as model_id,
        (after ->> 'version')::bigint as version, (after ->> 'effectiveFrom')::timestamptz as effective_from,
        (after ->> 'dated')::boolean as dated, after ->> 'source' as source,
        (after ->> 'inputRatePerKTokens')::numeric * 1000000000000 as input_femto,
        (after ->> 'outputRatePerKTokens')::numeric * 1000000000000 as output_femto,
        (after ->> 'cachedInputRatePerKTokens')::numeric * 1000000000000 as cached_femto,
        (after ->> 'cacheWriteRatePerKTokens')::numeric * 1000000000000 as cache_write_5m_femto,
        (after ->> 'reasoningRatePerKTokens')::numeric * 1000000000000 as reasoning_femto
    from audit
    where action = 'rate.put'
),
first_told as (select version, seq from stated order by seq limit 1),
changes as (
    select
        seq, action, at, org_id, subject,
        (select f.version from first_told f) + row_number() over (order by seq) - 1 as version
    from audit
    where action in ('rate.put', 'rate.end', 'deployment.put', 'deployment.delete')
        and seq >= (select f.seq from first_told f)
),
faulty as (
    select 'version ' || s.version as what, 'as the trail tells it' as expected, to_jsonb(r) as found
    from stated s
    left join rates r on r.version = s.version
    where r.version is null or r.ended or (
        r.org_id, r.provider, r.model_id, r.source, r.dated, r.effective_from, r.created_at, r.author, r.reason,
        r.input_femto, r.output_femto, r.cached_femto, r.cache_write_5m_femto, r.reasoning_femto
    ) is distinct from (
        s.org_id, s.provider, s.model_id, s.source, s.dated, s.effective_from, s.at, s.actor, s.reason,
        s.input_femto, s.output_femto, s.cached_femto, s.cache_write_5m_femto, s.reasoning_femto
    )
    union all
    select
        'version ' || coalesce(c.version, r.version), coalesce(c.action || ' of ' || c.subject, 'no version'), to_jsonb(r)
    from changes c
    full join (select * from rates where version >= (select f.version from first_told f)) r on r.version = c.version
    where
        c.version is null
        or (c.action in ('rate.put', 'rate.end')) <> (r.version is not null)
        or (c.action = 'rate.end' and (r.ended, r.created_at, r.org_id) is distinct from (true, c.at, c.org_id))
    union all
    select 'epoch', (select max(version) from changes)::text, to_jsonb(epoch)
    from rate_epoch
    where epoch <> coalesce((select max(version) from changes), epoch)
        or epoch < (select max(version) from rates)
)
select
    (select count(*) from rates) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
