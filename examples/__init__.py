"""Agents and a model server to try agent-finops with; nothing in the product imports this but ``agent-finops demo``."""
