"""Asks agent-finops before every call of an OpenAI client: ``guard(OpenAI(), agentId="clerk", userId="ann")``.
A denied call is never made. FINOPS_URL and FINOPS_TOKEN (scope ``budgets:decide``) say whom to ask; where nobody
answers within a second the call is made, or refused with FINOPS_FAIL_CLOSED=1.
"""

import json
import os
from typing import Any
from urllib.request import Request, urlopen

from openai import OpenAI


class OverBudget(RuntimeError):
    """The call was not made."""


def decision(caller: dict[str, Any]) -> Any:
    """What the budgets say."""
    url = f"{os.environ.get('FINOPS_URL', 'http://127.0.0.1:8080')}/api/v1/finops/budgets/decision"
    headers = {"Authorization": f"Bearer {os.environ.get('FINOPS_TOKEN', '')}"}
    try:
        return json.load(urlopen(Request(url, json.dumps(caller).encode(), headers), timeout=1))
    except OSError as fault:
        word = "deny" if os.environ.get("FINOPS_FAIL_CLOSED") == "1" else "allow"
        return {"decision": word, "reason": f"budgets cannot be asked: {fault}"}


def guard(client: OpenAI, **caller: str) -> OpenAI:
    """The client, asking first for whoever ``caller`` says."""
    for resource in (client.chat.completions, client.responses, client.embeddings):

        def create(*args: Any, make: Any = resource.create, **options: Any) -> Any:
            said = decision({"provider": "openai", "modelId": options["model"], **caller})
            if said["decision"] == "deny":
                raise OverBudget(f"{said['reason']}; starts anew at {said.get('resetAt')}")
            return make(*args, **options)

        resource.create = create  # type: ignore[method-assign]
    return client
