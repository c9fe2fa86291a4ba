"""Which model an operator runs under a name of their own."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, Protocol

from query_api.bodies import BodyReader
from query_api.exchange import Answer, Ask, told_tagged
from query_api.problems import Fault, bad_request, not_found
from query_api.rate_answers import DEPLOYMENT, STORED_DEPLOYMENT, deployment_tag
from query_api.shapes import Schema
from query_api.unpriced import Swept, UnpricedCalls, price_some
from query_api.wire import encode

_TEXT: Schema = {"type": "string"}
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["deployment", "modelId"],
    "properties": {"provider": _TEXT, "deployment": _TEXT, "modelId": _TEXT},
}


class Deployment(NamedTuple):
    """A name of an operator's own and the model behind it; provider '' is every one."""

    provider: str
    deployment: str
    model_id: str
    swept: Swept = Swept(0, 0)


Condition = Callable[[str | None], None]
"""Of the model that a name stood for."""


class Deployments(Protocol):
    """What is asked of the ledger. A change is in force everywhere once it has returned."""

    async def deployments(self) -> dict[tuple[str, str], str]: ...
    async def put_deployment(
        self, provider: str, deployment: str, model_id: str, author: str, now: datetime, holds: Condition
    ) -> None: ...
    async def delete_deployment(
        self, provider: str, deployment: str, author: str, now: datetime, holds: Condition
    ) -> bool: ...


class DeploymentEndpoints:
    """Endpoints over the names."""

    def __init__(self, deployments: Deployments, unpriced: UnpricedCalls, want_sweep: Callable[[], None]) -> None:
        self._deployments = deployments
        self._unpriced = unpriced
        self._want_sweep = want_sweep

    async def all(self, ask: Ask) -> Answer:
        """Every name, by provider."""
        found = await self._deployments.deployments()
        rows = [Deployment(provider, name, model) for (provider, name), model in sorted(found.items())]
        return Answer(encode(DEPLOYMENT.render_all(rows)))

    async def put(self, ask: Ask) -> Answer:
        """Says what model a name stands for, and prices the calls under it that had no price."""
        body = BodyReader(ask.body)
        provider = body.text("provider")
        deployment, model_id = body.text("deployment", required=True), body.text("modelId", required=True)
        body.finish()
        by, holds = ask.grant.name, _condition(ask)
        await self._deployments.put_deployment(provider, deployment, model_id, by, ask.now, holds)
        swept = await price_some(self._unpriced, None, self._want_sweep)
        row = Deployment(provider, deployment, model_id, swept)
        return told_tagged(STORED_DEPLOYMENT, row, deployment_tag(model_id))

    async def delete(self, ask: Ask) -> Answer:
        """Forgets a name; 404 where nobody stated it."""
        deployment = ask.values["deployment"]
        if not deployment:
            raise bad_request([Fault("query", "deployment", "is required")])
        provider = ask.values["provider"] or ""
        by, holds = ask.grant.name, _condition(ask)
        if not await self._deployments.delete_deployment(provider, deployment, by, ask.now, holds):
            raise not_found("no such deployment")
        return Answer(b"", status=HTTPStatus.NO_CONTENT)


def _condition(ask: Ask) -> Condition:
    return lambda before: ask.conditions.check(None if before is None else deployment_tag(before))
