-- Lets go of hours that no suggestion asks for. Called by ledger.agent_hours.
delete from agent_hours where hour < %(oldest)s
