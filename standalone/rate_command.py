"""`agent-finops rates`: an operator's rates to and from a CSV file, LiteLLM's price list as a second source, and
history priced again.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from finops.money import usd
from finops.price_book import PriceBook, implausible
from finops.rate_files import Disagreement, RefusedFile, disagreements, rates_csv, rates_from_csv, rates_from_litellm
from finops.rates import RatePut
from ledger.pool import Connection
from ledger.rates import RateStore
from standalone import reprice_command
from standalone.database import bring_up_to_date, in_ledger, reachable_database
from standalone.failures import CannotStart
from standalone.up import add_database_arguments

FILE_BYTES_MAX = 64 * 1024 * 1024
DISAGREEMENTS_SHOWN = 20
AUTHOR = "agent-finops rates import"


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `rates` and its two commands."""
    commands = parser.add_subparsers(dest="rates_command", metavar="COMMAND", required=True)
    taking = commands.add_parser("import", help="state the rates of a file, all or none of them")
    taking.add_argument("file", type=Path, help="CSV as `rates export` writes it, or with --litellm a JSON price list")
    taking.add_argument(
        "--litellm",
        action="store_true",
        help="the file is LiteLLM's model_prices_and_context_window.json: it prices only what nothing else prices",
    )
    taking.add_argument("--confirm", action="store_true", help="take rates 100 times off the catalogue's, too")
    taking.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    giving = commands.add_parser("export", help="write the operator's rates that hold now, as CSV")
    again = commands.add_parser("reprice", help="price calls of the past again: a preview, unless --apply is given")
    reprice_command.add_arguments(again)
    for command in (taking, giving, again):
        add_database_arguments(command, environment)


def run(arguments: argparse.Namespace) -> int:
    """The exit status. Raises CannotStart."""
    with reachable_database(arguments.database_url, arguments.data_dir, os.environ, _remark) as url:
        if arguments.database_url is None:
            bring_up_to_date(url, _remark)
        now = datetime.now(UTC)
        if arguments.rates_command == "export":
            sys.stdout.writelines(rates_csv(in_ledger(url, lambda found: RateStore().operator_rates(found, now))))
            return 0
        if arguments.rates_command == "reprice":
            return reprice_command.run(arguments, url)
        return _import(arguments, url, now)


def _import(arguments: argparse.Namespace, url: str, now: datetime) -> int:
    rates = _read(arguments.file, litellm=arguments.litellm)

    async def take(connection: Connection) -> tuple[int, list[Disagreement]]:
        store = RateStore()
        book = await store.load_book(connection)
        if not (arguments.confirm or arguments.litellm):
            _refuse_slips(rates, book, now)
        apart = disagreements(book, rates, await store.tokens_in_use(connection), now)
        async with connection.transaction(force_rollback=arguments.dry_run):
            return len(await store.put_all(connection, rates, now)), apart

    stored, apart = in_ledger(url, take)
    _remark(
        f"{'would state' if arguments.dry_run else 'stated'} {stored} of {len(rates)} rates; the others hold already"
    )
    _show(apart)
    if stored and not arguments.dry_run:
        reprice_command.price_unpriced(url)
    return 0


def _read(path: Path, *, litellm: bool) -> list[RatePut]:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise CannotStart(f"{path} is larger than {FILE_BYTES_MAX} bytes")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise CannotStart(f"{path} cannot be read: {fault}") from fault
    try:
        if not litellm:
            return rates_from_csv(text, AUTHOR)
        source = rates_from_litellm(text, AUTHOR)
    except RefusedFile as refused:
        raise CannotStart(f"nothing was taken from {path}:\n{refused}") from refused
    _remark(f"{source.left_out} entries have no price per token and were left out")
    return source.rates


def _refuse_slips(rates: Sequence[RatePut], book: PriceBook, now: datetime) -> None:
    slips = [
        f"{rate.model_id}: {field} {slip}" for rate in rates for field, slip in implausible(rate, book, now).items()
    ]
    if slips:
        raise CannotStart("nothing was taken; give --confirm if this is meant:\n" + "\n".join(slips))


def _show(apart: Sequence[Disagreement]) -> None:
    """Where the file and the rates in force differ, for the tokens in the ledger; standard output can be piped."""
    if not apart:
        return
    print("PROVIDER  MODEL  NOW USD  FILE USD  (all tokens in the ledger)")
    for item in apart[:DISAGREEMENTS_SHOWN]:
        print(f"{item.provider}  {item.model_id}  {usd(item.ours_pico):f}  {usd(item.theirs_pico):f}")
    if len(apart) > DISAGREEMENTS_SHOWN:
        print(f"and {len(apart) - DISAGREEMENTS_SHOWN} more")


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
