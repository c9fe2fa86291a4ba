-- Remembers up to when hours were looked at. Called by ledger.agent_hours.
update agent_hours_done set through = %(through)s
