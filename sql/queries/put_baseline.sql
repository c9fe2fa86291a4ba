-- States what is normal for an agent. Called by ledger.baselines.
insert into baselines (org_id, agent_id, baseline_pico_per_hour, updated_by, anomaly_multiplier)
values (%(org_id)s, %(agent_id)s, %(baseline_pico_per_hour)s, %(updated_by)s, %(anomaly_multiplier)s)
on conflict (org_id, agent_id) do update
set baseline_pico_per_hour = excluded.baseline_pico_per_hour, updated_by = excluded.updated_by, updated_at = now(),
    anomaly_multiplier = excluded.anomaly_multiplier
returning org_id, agent_id, baseline_pico_per_hour, updated_at, updated_by, anomaly_multiplier
