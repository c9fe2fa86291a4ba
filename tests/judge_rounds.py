"""Waiting for the judge of a running query API: by the rounds it has made, never by time."""

import httpx2
from alertmanager_process import until


async def rounds(api: httpx2.AsyncClient, count: int, name: str = "anomalies") -> None:
    """Waits until the judge has made the pass ``name`` so many times more."""

    async def runs() -> int:
        lines = (await api.get("/actuator/prometheus")).text.splitlines()
        told = [line for line in lines if line.startswith(f'finops_judge_pass_seconds_count{{pass="{name}"}}')]
        return int(float(told[0].split()[-1])) if told else 0

    goal = await runs() + count

    async def enough() -> bool:
        return await runs() >= goal

    await until(enough, f"{count} rounds of the judge")
