"""Names that an organisation keeps for some days only: afterwards users and sessions have pseudonyms of one day.

A pseudonym is made with a key that is thrown away when the day is done, so nothing leads back from it, and the same
name on another day has another one.
"""

import hashlib
from datetime import datetime
from typing import NamedTuple

from finops.erasure import Kind
from finops.postings import Posting
from finops.spans import Dimensions, SpanRecord

PREFIX = "expired-"
DAYS_MIN, DAYS_MAX = 1, 3650


class RetentionRule(NamedTuple):
    """For how long an organisation's users and sessions keep their names."""

    org_id: str
    identifier_days: int | None
    """Whole UTC days; None: as long as the rows they are in."""
    nameless_through: datetime | None
    """What happened before has lost its names."""
    updated_at: datetime
    updated_by: str


class PrivacyState(NamedTuple):
    """What has to go and has not yet."""

    erasures_unfinished: int
    days_behind: int
    """Days whose names should be gone, of the organisation that has most of them."""


class Expired(NamedTuple):
    """What replaces the names of an organisation that are too old."""

    key: bytes

    def name(self, kind: Kind, name: str) -> str:
        """The pseudonym; as expired_name of the ledger makes it."""
        if not name or name.startswith(PREFIX):
            return name
        return PREFIX + hashlib.sha256(self.key + f"{kind}\x1f{name}".encode()).hexdigest()[:32]

    def in_record(self, record: SpanRecord) -> SpanRecord:
        """The span with pseudonyms where it states names."""
        own, resource = self._in_dimensions(record.own), self._in_dimensions(record.resource)
        return (
            record if (own, resource) == (record.own, record.resource) else record._replace(own=own, resource=resource)
        )

    def _in_dimensions(self, said: Dimensions) -> Dimensions:
        if said.user is None and said.session is None:
            return said
        user = said.user and self.name(Kind.USER, said.user)
        return said._replace(user=user, session=said.session and self.name(Kind.SESSION, said.session))

    def in_posting(self, posting: Posting, *, owned: bool) -> Posting:
        """What is to stand for it; ``owned``: its span is one whose names are too old."""
        if not owned:
            return posting
        user, session = self.name(Kind.USER, posting.user_id), self.name(Kind.SESSION, posting.session_id)
        return posting._replace(user_id=user, session_id=session)
