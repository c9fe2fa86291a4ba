"""Sums of longer stretches: read for reports, and made again from quarter hours where entries came late.

Which stretches there are to be is left to ``ledger.block_calendars``; where the append keeps the sums itself, it adds
what is late to blocks, too.
"""

from collections.abc import Sequence
from datetime import datetime

from finops.blocks import Cover, Stretch, cover
from ledger.pool import Connection
from ledger.reading import Look
from sql import query


async def covered(ledger: Look, asked: Sequence[Stretch]) -> Cover:
    """Where the sums of stretches, given in order of time, are read in this look."""
    if not asked:
        return cover((), (), None)
    rows = await ledger.rows("blocks_inside", {"start": asked[0].start, "end": asked[-1].end})
    return cover(asked, [Stretch(*row) for row in rows], ledger.days_until)


def cover_values(found: Cover) -> dict[str, object]:
    """A cover as the queries name it."""
    ranges = zip(("days", "more_days", "quarters", "more_quarters"), (*found.days, *found.quarters), strict=True)
    values: dict[str, object] = {}
    for name, one in ranges:
        values |= {f"{name}_start": one.start, f"{name}_end": one.end}
    starts, ends = [block.start for block in found.blocks], [block.end for block in found.blocks]
    return values | {"block_starts": starts, "block_ends": ends}


async def sum_up(connection: Connection, block: Stretch) -> None:
    """Writes the sums of a block that has none. Quarter hours and days must be complete for it."""
    midnights = all((instant.hour, instant.minute) == (0, 0) for instant in block)
    values = {"starts": block.start, "ends": block.end, "whole_days": midnights}
    await connection.execute(query("block_sum"), values)


async def sum_again(connection: Connection, starts: datetime, ends: datetime) -> None:
    """Makes the sums of every block again that has a part in a range whose quarter hours and days were refreshed."""
    rows = await (await connection.execute(query("blocks_touched"), {"starts": starts, "ends": ends})).fetchall()
    for first, end in rows:
        assert isinstance(first, datetime)
        assert isinstance(end, datetime)
        async with connection.transaction():
            await connection.execute(query("block_unsum"), {"starts": first, "ends": end})
            await sum_up(connection, Stretch(first, end))
