"""JSON objects that people send: every field checked, every fault told."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from finops.instants import read_instant
from finops.stored_text import NAME_LENGTH_MAX, storable
from query_api.problems import Fault, Problem, bad_request, unprocessable

PROSE_LENGTH_MAX = 1024
TEXTS_MAX = 100
DECIMALS_MAX = 12
"""Decimals of an amount of money: a pico-dollar is the least there is."""
DIGITS_MAX = 28


class BodyReader:
    """Takes fields out of a body one by one and collects what is wrong with them; ``finish`` tells it all at once."""

    def __init__(self, body: object) -> None:
        if not isinstance(body, dict):
            raise bad_request([Fault("body", "", "the body must be a JSON object")])
        self._left: dict[str, object] = dict(body)
        self.faults: list[Fault] = []

    def fault(self, name: str, detail: str) -> None:
        """Notes one more thing wrong."""
        self.faults.append(Fault("body", name, detail))

    def text(self, name: str, *, required: bool = False, length_max: int = NAME_LENGTH_MAX) -> str:
        """Text; '' where absent or at fault."""
        value = self._take(name, required)
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.fault(name, "must be text and not empty")
        elif len(value) > length_max:
            self.fault(name, f"must not be longer than {length_max} characters")
        elif not storable(value):
            self.fault(name, "holds characters that cannot be stored")
        else:
            return value.strip()
        return ""

    def amount(self, name: str, *, required: bool = False) -> Decimal | None:
        """A number; None where absent or at fault."""
        value = self._take(name, required)
        if value is None:
            return None
        if not isinstance(value, Decimal):
            self.fault(name, "must be a number")
            return None
        return value

    def dollars(self, name: str, most: Decimal, *, required: bool = False) -> Decimal | None:
        """USD from 0 to ``most``, to the pico-dollar; None where absent or at fault."""
        amount = self.amount(name, required=required)
        if amount is None:
            return None
        if amount < 0:
            self.fault(name, "must not be negative")
        elif amount > most:
            self.fault(name, f"must not be more than {most}")
        elif amount and (amount.adjusted() < -DECIMALS_MAX or too_long(amount)):
            self.fault(name, f"must not have more than {DECIMALS_MAX} decimals or {DIGITS_MAX} digits")
        else:
            return amount
        return None

    def flag(self, name: str) -> bool:
        """true or false; False where absent or at fault."""
        value = self._take(name, required=False)
        if value is None:
            return False
        if not isinstance(value, bool):
            self.fault(name, "must be true or false")
            return False
        return value

    def instant(self, name: str) -> datetime | None:
        """An RFC 3339 instant with its offset; None where absent or at fault."""
        value = self._take(name, required=False)
        if value is None:
            return None
        try:
            if not isinstance(value, str):
                raise ValueError(name)
            found = read_instant(value)
            if found.tzinfo is None:
                raise ValueError(name)
            return found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fault(name, "must be an RFC 3339 instant with its offset, such as 2026-03-10T00:00:00Z")
            return None

    def texts(self, name: str) -> tuple[str, ...] | None:
        """One text or an array of texts; None where absent or at fault."""
        value = self._take(name, required=False)
        if value is None:
            return None
        found = value if isinstance(value, list) else [value]
        if not found or len(found) > TEXTS_MAX:
            self.fault(name, f"must be text, or an array of 1 to {TEXTS_MAX} texts")
        elif not all(isinstance(text, str) and len(text) <= PROSE_LENGTH_MAX and storable(text) for text in found):
            self.fault(
                name, f"must be text of at most {PROSE_LENGTH_MAX} characters that can be stored, or an array of it"
            )
        else:
            return tuple(found)
        return None

    def tree(self, name: str) -> object:
        """Any JSON, for the caller to look into; None where absent."""
        return self._take(name, required=False)

    def finish(self) -> None:
        """Raises a 422 problem with all faults, unknown fields included."""
        faults = self.faults + [Fault("body", name, "is not a field of this body") for name in self._left]
        if faults:
            raise unprocessable(faults)

    def refused(self, reasons: Mapping[str, str]) -> Problem:
        """A 422 problem of faults found by the rules."""
        return unprocessable([Fault("body", name, reason) for name, reason in reasons.items()])

    def _take(self, name: str, required: bool) -> object:
        value = self._left.pop(name, None)
        if value is None and required:
            self.fault(name, "is required")
        return value


def too_long(amount: Decimal) -> bool:
    """Whether the ledger cannot keep every digit of an amount."""
    return len(amount.as_tuple().digits) > DIGITS_MAX or amount.scaleb(DECIMALS_MAX) % 1 != 0
