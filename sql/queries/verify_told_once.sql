-- A session has at most one open anomaly, and each is closed before the next; an alert fires once at a time; a threshold of
-- a budget stands once a period, and was reached when it was told. Called by ledger.verify.
with told as (
    select
        a.anomaly_id, a.org_id, a.session_id, a.closed_at,
        lead(a.anomaly_id) over session as next_id, lead(a.closed_at) over session as next_closed_at
    from anomalies a
    window session as (partition by a.org_id, a.session_id, a.agent_id order by a.anomaly_id)
),
faulty as (
    select 'anomaly ' || anomaly_id || ' of ' || session_id as what, closed_at as over_at, 1 as times
    from told
    where next_id is not null and (closed_at is null or next_closed_at < closed_at)
    union all
    select 'alert ' || key, null, count(*)
    from alerts
    where resolved_at is null
    group by key
    having count(*) > 1
    union all
    select 'threshold ' || f.threshold || ' of ' || f.budget_id || ' for ' || f.member, null, count(*)
    from budget_firings f
    join budgets b on b.budget_id = f.budget_id
    where f.cleared_at is null
    group by f.budget_id, f.member, f.threshold, case when b.unit <> 'rolling' then f.period_start end
    having count(*) > 1
    union all
    select 'threshold ' || threshold || ' of ' || budget_id || ' at ' || spent_pico, cleared_at, 1
    from budget_firings
    where spent_pico * 10000 < threshold * limit_pico
)
select
    (select count(*) from anomalies) + (select count(*) from alerts) + (select count(*) from budget_firings) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples
