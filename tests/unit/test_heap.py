"""The C library keeps few heaps, however many threads there are."""

import platform
import subprocess
import sys

import pytest

from collector.heap import HEAPS_MAX

PROGRAM = """
import ctypes, sys, threading
from collector.heap import keep_little
if sys.argv[1] == "little":
    assert keep_little()
taken, gone = threading.Barrier(9), threading.Event()
def hold():
    block = ctypes.create_string_buffer(100_000)
    taken.wait()
    gone.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
taken.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
gone.set()
"""


def heaps(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_threads_share_few_heaps() -> None:
    assert heaps("little") <= HEAPS_MAX < heaps("much")
