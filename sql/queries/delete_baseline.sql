-- Takes an agent's baseline back. Called by ledger.baselines.
delete from baselines where org_id = %(org_id)s and agent_id = %(agent_id)s
