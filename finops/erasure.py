"""Identifiers that have to go: a user's or a session's, replaced by a pseudonym that nothing leads back from.

A pseudonym is random. Everything an identifier stood for keeps one pseudonym, so sums by user or session stay sums of
one group, and no total changes. What was on its way when the identifier was replaced is recognised by a keyed hash of
it, for as long as such spans are accepted, and gets the same pseudonym.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from finops.entries import Entry
from finops.postings import DEFAULT_ORG, Posting
from finops.spans import Dimensions, SpanRecord

DIGEST_BYTES = 16
PSEUDONYM_PREFIX = "erased-"


class Kind(StrEnum):
    """Whose identifier it is. The values are stored, and are the fields of ``Dimensions``."""

    USER = "user"
    SESSION = "session"


class Phase(StrEnum):
    """What is replaced now, in this order. The values are stored."""

    SPANS = "spans"
    ENTRIES = "entries"
    SUSPENSE = "suspense"
    REST = "rest"
    """Sessions' slots and anomalies, budgets, alerts and the audit trail, together and last."""
    FINISHED = "finished"


class ErasureRequest(NamedTuple):
    """What is asked for."""

    org_id: str
    kind: Kind
    identifier: str


class ErasurePreview(NamedTuple):
    """What holds the identifier now."""

    entries: int
    calls: int
    cost_pico: int
    """Of the priced calls; stays what it is."""
    first_at: datetime | None
    last_at: datetime | None
    session_slots: int
    anomalies: int
    budgets: int
    alerts: int


class Erasure(NamedTuple):
    """A request that was made, and how far it has come. The identifier is not in it."""

    erasure_id: str
    number: int
    org_id: str
    kind: Kind
    pseudonym: str
    requested_at: datetime
    requested_by: str
    reason: str
    phase: Phase
    counts: Mapping[str, int]
    """Rows in which it was replaced, by what they are."""
    finished_at: datetime | None


class ErasureRefused(ValueError):
    """It cannot be erased; the message says why."""


class TooManyErasures(Exception):
    """So many are not finished."""


class Erased(NamedTuple):
    """An identifier that spans must not bring back."""

    org_id: str
    kind: Kind
    digest: bytes
    pseudonym: str
    until_ns: int | None
    """Of spans that ended before it; None: of all."""


class Replaced(NamedTuple):
    """What a replacement needs to know: in one organisation, one identifier, one pseudonym."""

    org_id: str
    kind: Kind
    identifier: str
    pseudonym: str

    def in_record(self, record: SpanRecord) -> SpanRecord:
        """The span without the identifier, whatever organisation it says it is of."""
        own, resource = self._in_dimensions(record.own), self._in_dimensions(record.resource)
        if own is record.own and resource is record.resource:
            return record
        return record._replace(own=own, resource=resource)

    def _in_dimensions(self, said: Dimensions) -> Dimensions:
        if getattr(said, self.kind) != self.identifier:
            return said
        return said._replace(**{self.kind.value: self.pseudonym})

    def in_posting(self, posting: Posting, *, owned: bool = True) -> Posting:
        """What is to stand for the posting once everything is replaced, whosever its span is."""
        if posting.org_id != self.org_id or getattr(posting, f"{self.kind}_id") != self.identifier:
            return posting
        if self.kind is Kind.USER:
            return posting._replace(user_id=self.pseudonym)
        return posting._replace(session_id=self.pseudonym)


def digest_of(key: bytes, org_id: str, kind: Kind, identifier: str) -> bytes:
    """By what a span that states the identifier is recognised; ``key`` is at most 64 bytes."""
    said = "\x00".join((org_id, kind, identifier))
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES, key=key).digest()


class Renaming:
    """What is being replaced now, for whoever looks at a ledger in the middle of it: both names count as one."""

    def __init__(self, replaced: Iterable[Replaced] = ()) -> None:
        self._replaced = tuple(replaced)

    def of_posting(self, posting: Posting) -> Posting:
        """The posting under its pseudonyms."""
        for one in self._replaced:
            posting = one.in_posting(posting)
        return posting

    def of_entry(self, entry: Entry) -> Entry:
        """The entry under its pseudonyms."""
        who = entry.belongings
        for one in self._replaced:
            if who.org_id == one.org_id and getattr(who, f"{one.kind}_id") == one.identifier:
                user = {"user_id": one.pseudonym} if one.kind is Kind.USER else {"session_id": one.pseudonym}
                who = who._replace(**user)
        return entry if who is entry.belongings else entry._replace(belongings=who)


class ErasedIdentifiers:
    """What collectors replace in spans that arrive, as of one epoch. The first one replaces nothing."""

    def __init__(self, epoch: int = 0, key: bytes = b"", erased: Iterable[Erased] = ()) -> None:
        self.epoch = epoch
        self._key = key
        self._by_digest = {one.digest: one for one in erased}

    def replaced_in(self, batch: Sequence[SpanRecord]) -> Sequence[SpanRecord]:
        """The batch without these identifiers; the same one where nothing has to be replaced."""
        return [self._in_record(record) for record in batch] if self._by_digest else batch

    def _in_record(self, record: SpanRecord) -> SpanRecord:
        """By what the span itself says: whose it is by an ancestor is not known here."""
        org_id = record.tenant or record.own.org or record.resource.org or DEFAULT_ORG
        for kind in Kind:
            for identifier in {getattr(record.own, kind), getattr(record.resource, kind)} - {None}:
                found = self._by_digest.get(digest_of(self._key, org_id, kind, identifier))
                if found is not None and (found.until_ns is None or record.end_ns < found.until_ns):
                    record = Replaced(org_id, kind, identifier, found.pseudonym).in_record(record)
        return record
