"""Health in the shape of Spring Boot's actuator: components, the worst of them, and two groups.

Liveness depends on nothing outside; readiness on the database and on not being about to stop. Details say what was
asked, never how to reach it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple, Protocol

from finops.spans import LedgerUnavailable
from query_api.exchange import JSON, Answer, Ask
from query_api.problems import not_found
from query_api.wire import encode

ACTUATOR_JSON = "application/vnd.spring-boot.actuator.v3+json"
PROBE_SECONDS_MAX = 2.0
REMEMBERED_SECONDS = 1.0

UP, DOWN, OUT_OF_SERVICE, UNKNOWN = "UP", "DOWN", "OUT_OF_SERVICE", "UNKNOWN"
_WORST_FIRST = (DOWN, OUT_OF_SERVICE, UP, UNKNOWN)
_HTTP_SERVER_FAULT = 500


class Ledger(Protocol):
    """What is asked of the ledger."""

    async def storage(self) -> Mapping[str, object]:
        """The engine and whether it keeps up, once the database answers; raises ``LedgerUnavailable`` otherwise."""


class Probe(Protocol):
    """A GET: its status, or None where nobody answers in time."""

    async def __call__(self, url: str, timeout_seconds: float) -> int | None: ...


class Neighbours(NamedTuple):
    """What else is asked; None or empty where it is not configured."""

    collector_url: str | None = None
    provider_urls: Mapping[str, str] = {}
    docker_host: str | None = None


class Life:
    """Whether this process is about to stop."""

    draining = False


Component = dict[str, object]


class Health:
    """The endpoints below /actuator/health."""

    def __init__(
        self,
        ledger: Ledger,
        neighbours: Neighbours,
        life: Life,
        probe: Probe,
        monotonic: Callable[[], float],
        inside: Mapping[str, Callable[[], Component]] = {},
    ) -> None:
        self._ledger = ledger
        self._neighbours = neighbours
        self._life = life
        self._probe = probe
        self._monotonic = monotonic
        self._inside = inside
        self._checking = asyncio.Lock()
        self._remembered: tuple[float, dict[str, Component]] | None = None

    async def overall(self, ask: Ask) -> Answer:
        """Every component and the worst of them."""
        components = await self._components()
        return _answer(ask, _composite(components) | {"groups": ["liveness", "readiness"]})

    async def liveness(self, ask: Ask) -> Answer:
        """This process runs."""
        return _answer(ask, _composite({"livenessState": {"status": UP}}))

    async def readiness(self, ask: Ask) -> Answer:
        """This process can answer with figures."""
        components = await self._components()
        state = OUT_OF_SERVICE if self._life.draining else UP
        return _answer(ask, _composite({"db": components["db"], "readinessState": {"status": state}}))

    async def component(self, ask: Ask) -> Answer:
        """One component by name."""
        found = (await self._components()).get(ask.path["component"])
        if found is None:
            raise not_found("no such component")
        return _answer(ask, found)

    async def _components(self) -> dict[str, Component]:
        async with self._checking:
            now = self._monotonic()
            if self._remembered is None or now >= self._remembered[0]:
                self._remembered = (now + REMEMBERED_SECONDS, await self._checked())
            return self._remembered[1]

    async def _checked(self) -> dict[str, Component]:
        checks: dict[str, Awaitable[Component]] = {"db": self._database()}
        if self._neighbours.collector_url is not None:
            checks["collector"] = self._collector(self._neighbours.collector_url)
        if self._neighbours.provider_urls:
            checks["providers"] = self._providers()
        if self._neighbours.docker_host is not None:
            checks["docker"] = self._docker(self._neighbours.docker_host)
        found = await asyncio.gather(*checks.values())
        own = {name: tell() for name, tell in self._inside.items()}
        return dict(sorted((own | dict(zip(checks, found, strict=True))).items()))

    async def _database(self) -> Component:
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                storage = await self._ledger.storage()
        except (LedgerUnavailable, TimeoutError):
            return {"status": DOWN, "details": {"database": "PostgreSQL"}}
        return {"status": UP, "details": {"database": "PostgreSQL", **storage}}

    async def _collector(self, url: str) -> Component:
        status = await self._probe(url, PROBE_SECONDS_MAX)
        if status is None:
            return {"status": DOWN, "details": {"reason": "does not answer"}}
        return {"status": UP} if status == HTTPStatus.OK else {"status": DOWN, "details": {"httpStatus": status}}

    async def _providers(self) -> Component:
        urls = self._neighbours.provider_urls
        statuses = await asyncio.gather(*(self._probe(url, PROBE_SECONDS_MAX) for url in urls.values()))
        return _composite({name: _provider(status) for name, status in zip(urls, statuses, strict=True)})

    async def _docker(self, host: str) -> Component:
        status = await self._probe(host, PROBE_SECONDS_MAX)
        return {"status": UP if status == HTTPStatus.OK else UNKNOWN}


def _provider(status: int | None) -> Component:
    """A provider that refuses our question for want of a key is there."""
    if status is None:
        return {"status": DOWN, "details": {"reason": "does not answer"}}
    return {"status": DOWN if status >= _HTTP_SERVER_FAULT else UP, "details": {"httpStatus": status}}


def _composite(components: Mapping[str, Component]) -> Component:
    statuses = {component["status"] for component in components.values()}
    worst = next((status for status in _WORST_FIRST if status in statuses), UNKNOWN)
    return {"status": worst, "components": dict(sorted(components.items()))}


def _answer(ask: Ask, component: Component) -> Answer:
    unwell = component["status"] in (DOWN, OUT_OF_SERVICE)
    status = HTTPStatus.SERVICE_UNAVAILABLE if unwell else HTTPStatus.OK
    media_type = ACTUATOR_JSON if ACTUATOR_JSON in ask.accept else JSON
    return Answer(encode(component), media_type, status, {"Cache-Control": "no-store"})
