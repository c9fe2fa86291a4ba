"""What is kept of a posting beside its span: enough to know later whether the same is to stand, and at what price.

Two digests after a mark: of what the price does not depend on, and of what it does. Values are written down by
``marshal`` in its format 2, which neither looks at how often an object is shared nor changes with the interpreter; a
test holds both to their bytes. Ledgers of earlier releases keep digests of another form, which are still understood.
"""

import marshal
from hashlib import blake2b
from typing import Final

from finops.postings import Posting

MARK: Final = b"\x02"
"""The form of digests made now."""
_FORMAT: Final = 2
_SIZE: Final = 12


def digests(posting: Posting) -> bytes:
    """Changes whenever anything of the posting does but the identity of its span; 25 bytes."""
    (
        _, _, _, event_ns, start_ns, org_id, team_id, agent_id, session_id, user_id, environment, service, provider,
        request_model, response_model, operation, calls, runs, tools, usage, cache_hit, tier, batch, reported, flags,
    ) = posting  # fmt: skip
    rest = (event_ns, team_id, agent_id, session_id, user_id, environment, service, runs, tools, reported, flags)
    counts = None if usage is None else tuple(usage)
    price = (
        start_ns, org_id, provider, request_model, response_model, operation, calls, cache_hit, tier, batch, counts,
    )  # fmt: skip
    return MARK + _digest(marshal.dumps(rest, _FORMAT)) + _digest(marshal.dumps(price, _FORMAT))


def stands(posting: Posting | None, posted: bytes | None) -> bool:
    """Whether ``posted``, as it is kept with a span, is of this posting; of none, where it is None."""
    if posting is None or posted is None:
        return posting is None and posted is None
    return posted == (digests(posting) if posted[:1] == MARK and len(posted) == _LENGTH else _of_before(posting))


def is_priced_alike(posting: Posting, posted: bytes) -> bool:
    """Whether all that a price depends on is as it was: a posting that merely moved keeps its price."""
    if len(posted) == _LENGTH:
        return posted[-_SIZE:] == digests(posting)[-_SIZE:]
    return posted[-_SIZE:] == _of_before(posting)[-_SIZE:]


_LENGTH: Final = len(MARK) + 2 * _SIZE


def _digest(said: bytes) -> bytes:
    return blake2b(said, digest_size=_SIZE).digest()


def _of_before(posting: Posting) -> bytes:
    """The first form: 24 bytes, of the whole and of what the price depends on, by their ``repr``."""
    price = (
        posting.org_id, posting.provider, posting.request_model, posting.response_model, posting.operation,
        posting.calls, posting.usage, posting.cache_hit, posting.service_tier, posting.batch, posting.start_ns,
    )  # fmt: skip
    return _digest(repr(tuple(posting)).encode()) + _digest(repr(price).encode())
