-- Sessions, anomalies and baselines for dashboards, in plain names and dollars; docs/grafana.md describes them.

create view session_spend as
select
    slot as time,
    org_id as org,
    agent_id as agent,
    session_id as session,
    calls,
    cost_pico * 0.000000000001 as cost_usd,
    unpriced_calls,
    first_at,
    last_at
from session_slots
where calls <> 0 or cost_pico <> 0;
comment on view session_spend is
    'Spend by session in slots of ten seconds, for as long as slots are kept. Sum over a session and a time for what it spent.';

create view session_anomalies as
select
    opened_at as time,
    closed_at,
    org_id as org,
    agent_id as agent,
    session_id as session,
    severity,
    rule,
    baseline_pico_per_hour * 0.000000000001 as baseline_usd_per_hour,
    spend_pico * 0.000000000001 * 3600 / window_seconds as burn_rate_usd_per_hour,
    peak_spend_pico * 0.000000000001 * 3600 / window_seconds as peak_usd_per_hour,
    peak_ratio,
    calls,
    last_seen_at,
    close_reason
from anomalies;
comment on view session_anomalies is
    'Sessions that burned abnormally, from when to when; open ones have no closed_at. Rates are dollars an hour over the window.';

create view agent_baselines as
select
    org_id as org, agent_id as agent, baseline_pico_per_hour * 0.000000000001 as baseline_usd_per_hour, updated_at, updated_by
from baselines;
comment on view agent_baselines is 'What agents may burn, in dollars an hour and session, as operators stated it.';
