"""A hook of the LiteLLM proxy that asks agent-finops before every call; a denied one is answered with 429.

Beside the proxy's config.yaml, and named in it: ``litellm_settings: {callbacks: litellm_budget_hook.ask_budgets}``. The
alias of a key is the agent, its team the team, the request's ``user`` the user; adapt ``caller`` to your own naming
and to what the proxy's spans say. FINOPS_URL and FINOPS_TOKEN (scope ``budgets:decide``) say whom to ask.
"""

import os
from typing import Any

import httpx
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

URL = f"{os.environ.get('FINOPS_URL', 'http://127.0.0.1:8080')}/api/v1/finops/budgets/decision"
HEADERS = {"Authorization": f"Bearer {os.environ.get('FINOPS_TOKEN', '')}"}


def caller(key: Any, data: dict[str, Any]) -> dict[str, str]:
    """Who is about to spend."""
    said = {
        "agentId": key.key_alias,
        "teamId": key.team_alias or key.team_id,
        "userId": data.get("user") or key.user_id,
        "modelId": data.get("model"),
    }
    return {name: text for name, text in said.items() if text}


class BudgetHook(CustomLogger):
    """Called by the proxy before it calls a model."""

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Lets the call through unless a budget denies it; where nobody answers in a second, too."""
        try:
            async with httpx.AsyncClient(timeout=1) as client:
                said = (await client.post(URL, json=caller(user_api_key_dict, data), headers=HEADERS)).json()
        except (httpx.HTTPError, ValueError):
            return data
        if said.get("decision") == "deny":
            raise HTTPException(429, f"over budget: {said['reason']}; starts anew at {said.get('resetAt')}")
        return data


ask_budgets = BudgetHook()
