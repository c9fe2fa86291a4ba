"""A file system so small that it can be filled: a tmpfs, where one can be mounted."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk_at(directory: Path, size_bytes: int) -> Iterator[Path]:
    """Skips the test where nothing can be mounted, which root alone can."""
    directory.mkdir(parents=True)
    options = f"size={size_bytes},mode=0755"
    mount = ["mount", "-t", "tmpfs", "-o", options, "agent-finops-test", str(directory)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command for a small disk")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def use_up(disk: Path) -> Path:
    """A file in which there is all the room that was left; call it again for what has become free since."""
    ballast = disk / "ballast"
    with open(ballast, "ab", buffering=0) as file:
        for step in (1 << 20, 4096, 512):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(step))
    return ballast
