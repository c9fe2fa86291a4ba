"""The FinOps Foundation's own validator judges what we call FOCUS.

It wants a newer Python than ours and pins of its own, so it lives in an environment of its own: FINOPS_FOCUS_VALIDATOR
names its command (docs/exports.md says how to install it). Without it this is skipped.
"""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
from exports_world import WINDOW, export_ledger
from integration.test_api_answers import ADMIN, PREFIX, World, world
from repricing_world import NOW

from ledger.tokens import TokenStore
from query_api.application import application
from query_api.auth import Gate

__all__ = ["world"]
VARIABLE = "FINOPS_FOCUS_VALIDATOR"
COMMAND = os.environ.get(VARIABLE) or shutil.which("focus-validator")
RULES = "1.2.0.1"
"""The rules that the validator carries with it; for other versions it would have to ask the network."""
CONTRADICTED = "InvoiceId-C-005-C"
"""Wants an id where a charge is on an invoice, which the validator cannot know: it asks for one everywhere, while
InvoiceId-C-004 holds that there must be none. We issue no invoices."""
OF_THE_UNKNOWN = {"BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "PricingCurrencyEffectiveCost"}
"""Columns that must not be null, and are where nobody knows a price."""
APPLICABLE = (
    "PUBLIC_PRICE_LIST_SUPPORTED,UNIT_PRICING_SUPPORTED,USAGE_MEASUREMENT_SUPPORTED,NEGOTIATED_PRICING_SUPPORTED"
)
APPLICABLE += ",SUB_ACCOUNT_SUPPORTED,TAGGING_SUPPORTED,MULTIPLE_PRICING_CATEGORIES_SUPPORTED"
pytestmark = pytest.mark.skipif(COMMAND is None, reason=f"no focus-validator here: {VARIABLE} names none")


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    await export_ledger(world.pool)
    app = application(world.endpoints(), Gate(TokenStore(world.pool), world.monotonic), lambda: NOW)
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://api", headers=headers
    ) as api:
        yield api


def installed() -> tuple[Path, Path]:
    """The command, and the directory it must run in: it reads its list of currencies from below that."""
    command = Path(str(COMMAND)).absolute()
    (home,) = {found.parents[2] for found in command.parents[1].rglob("focus_validator/rules/currency_codes.csv")}
    return command, home


async def judged(path: Path) -> tuple[int, set[str], str]:
    """How many rules hold, those that do not, and all that was said."""
    command, home = installed()
    words = [
        "--data-file",
        path,
        "--validate-version",
        RULES,
        "--block-download",
        "--applicability-criteria",
        APPLICABLE,
    ]
    process = await asyncio.create_subprocess_exec(
        command, *map(str, words), cwd=home, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode("utf-8", "replace")
    return len(re.findall(r": PASS ", said)), set(re.findall(r"\b(\w+-[A-Z]-\d+-[A-Z]): FAIL ", said)), said


JUDGED = [("call", "omit", set[str]()), ("agentDay", "omit", set[str]()), ("call", "include", OF_THE_UNKNOWN)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("grain", "unpriced", "broken"), JUDGED)
async def test_the_foundations_validator_finds_nothing_wrong_but_the_unknown(
    api: httpx2.AsyncClient,
    tmp_path: Path,
    grain: str,
    unpriced: str,
    broken: set[str],
    record_property: Callable[[str, object], None],
) -> None:
    asked = {"window": WINDOW, "grain": grain, "unpriced": unpriced}
    answer = await api.get(f"{PREFIX}/exports/focus.csv", params=asked)
    path = tmp_path / "focus.csv"
    path.write_bytes(answer.content)
    holds, failed, said = await judged(path)
    (tmp_path / "report.txt").write_text(said, "utf-8")
    about = f"focus-validator, {grain}, unpriced {unpriced}"
    record_property("counted", f"{about}: {holds} rules hold, not: {' '.join(sorted(failed)) or 'none'}")
    assert {rule.partition("-")[0] for rule in failed - {CONTRADICTED}} == broken, f"see {tmp_path}"
    assert holds > 200
