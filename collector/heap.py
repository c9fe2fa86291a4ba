"""Asks the C library to keep little: bodies of exports come and go, and what it keeps of them counts as ours.

glibc gives every thread a heap of its own, and keeps large blocks that were freed for the next one that asks. With
gRPC's threads and bodies of a megabyte that comes to more than all that is remembered of traces.
"""

import ctypes
from typing import Final

_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Numbers of mallopt(3)."""
HEAPS_MAX: Final = 2
LARGE_BYTES: Final = 256 * 1024
"""Larger blocks go back to the system as soon as they are free."""


def give_back() -> bool:
    """Lets the system have what the C library keeps of memory that was freed. False where there is no such library."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return False
    return bool(trim(0))


def keep_little() -> bool:
    """To be called before there are threads. False where there is no such C library; then nothing is changed."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(_ARENA_MAX, HEAPS_MAX)) and bool(mallopt(_MMAP_THRESHOLD, LARGE_BYTES))
