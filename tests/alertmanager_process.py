"""A real Alertmanager, and a real Prometheus that delivers to it, for the tests; Debian's packages have them."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from ports import free_port

ALERTMANAGER, PROMETHEUS = "prometheus-alertmanager", "prometheus"
needs_alertmanager = pytest.mark.skipif(
    shutil.which(ALERTMANAGER) is None,
    reason="Alertmanager is not installed (Debian: apt-get install prometheus-alertmanager)",
)
needs_prometheus = pytest.mark.skipif(
    shutil.which(PROMETHEUS) is None, reason="Prometheus is not installed (Debian: apt-get install prometheus)"
)
PATIENCE_SECONDS = 60.0

_ROUTES = """
route: {{receiver: test, group_by: [...], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: test, webhook_configs: [{{url: "{hook}", send_resolved: true}}]}}]
"""
_SCRAPES = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs:
  - job_name: agent-finops
    metrics_path: /actuator/prometheus
    authorization: {{credentials: "{token}"}}
    static_configs: [{{targets: ["{api}"]}}]
"""


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Waits for a condition, never for a time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def alertmanager(directory: Path, hook: str) -> AsyncIterator[str]:
    """The address of a real Alertmanager that tells ``hook`` at once."""
    settings, at = directory / "alertmanager.yml", f"127.0.0.1:{free_port()}"
    settings.write_text(_ROUTES.format(hook=hook))
    words = [f"--config.file={settings}", f"--storage.path={directory / 'am'}", f"--web.listen-address={at}"]
    async with _running(ALERTMANAGER, [*words, "--cluster.listen-address="], f"http://{at}"):
        yield f"http://{at}"


@asynccontextmanager
async def prometheus(directory: Path, rules: Path, tells: str, api: str, token: str) -> AsyncIterator[str]:
    """The address of a real Prometheus that scrapes our API and judges ``rules``."""
    settings, at = directory / "prometheus.yml", f"127.0.0.1:{free_port()}"
    targets = {"alertmanager": tells.removeprefix("http://"), "api": api.removeprefix("http://")}
    settings.write_text(_SCRAPES.format(rules=rules, token=token, **targets))
    words = [f"--config.file={settings}", f"--storage.tsdb.path={directory / 'tsdb'}", f"--web.listen-address={at}"]
    async with _running(PROMETHEUS, words, f"http://{at}"):
        yield f"http://{at}"


@asynccontextmanager
async def _running(program: str, words: list[str], url: str) -> AsyncIterator[None]:
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *words, stdout=nowhere, stderr=nowhere)
    try:
        async with httpx2.AsyncClient(base_url=url) as client:

            async def ready() -> bool:
                assert process.returncode is None, f"{program} ended with {process.returncode}"
                try:
                    return (await client.get("/-/ready")).status_code == 200
                except httpx2.TransportError:
                    return False

            await until(ready, f"{program} to be ready")
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
