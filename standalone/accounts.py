"""Who a process runs as, and that it dies with the process which started it.

PostgreSQL refuses to run as root, so a supervisor that is root starts it as another account. That is all this module
knows: which account, what that account can reach on disk, and how a child is tied to its parent's life. It never
changes the permissions of a file or directory; it only asks.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from standalone.failures import CannotStart

_PR_SET_PDEATHSIG = 1
_FALLBACK_ACCOUNTS = ("postgres", "nobody")


class NoAccount(CannotStart):
    """Root has no unprivileged account to run PostgreSQL as; the message says what to set."""


class Account(NamedTuple):
    """An unprivileged system account, by numbers: its name is only for messages."""

    name: str
    uid: int
    gid: int


def account_of(uid: int) -> Account:
    """The account with this user id; an id without a passwd entry is its own name and group."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(str(uid), uid, uid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def unprivileged_account(environment: Mapping[str, str]) -> Account | None:
    """The account root steps down to: FINOPS_POSTGRES_USER, who called sudo, `postgres` or `nobody`.

    None when this process is not root and simply runs its children as itself. Raises NoAccount.
    """
    if os.geteuid() != 0:
        return None
    asked = environment.get("FINOPS_POSTGRES_USER")
    sudo_uid = environment.get("SUDO_UID", "")
    if not asked and sudo_uid.isdigit() and int(sudo_uid) != 0:
        return account_of(int(sudo_uid))
    for name in (asked,) if asked else _FALLBACK_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    wanted = f"the account {asked!r}" if asked else "an account named postgres or nobody"
    raise NoAccount(f"PostgreSQL does not run as root and {wanted} does not exist: set FINOPS_POSTGRES_USER")


def can_read(account: Account | None, *paths: Path) -> bool:
    """Whether the account can read every path (and enter it, if a directory), tried for real as that account."""
    script = 'for path; do [ -r "$path" ] || exit 1; if [ -d "$path" ]; then [ -x "$path" ] || exit 1; fi; done'
    return _try_as(account, script, paths)


def can_enter(account: Account | None, directory: Path) -> bool:
    """Whether the account can pass through the directory, tried for real as that account."""
    return _try_as(account, '[ -d "$1" ] && [ -x "$1" ] && [ -x "$1/." ]', (directory,))


def _try_as(account: Account | None, script: str, paths: tuple[Path, ...]) -> bool:
    command = ["/bin/sh", "-c", script, "sh", *map(str, paths)]
    done = run_as(account, command, environment={"PATH": os.defpath})
    return done.returncode == 0


def run_as(
    account: Account | None, command: list[str], *, environment: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run to the end as the account with `given` on standard input; both outputs are captured together."""
    return subprocess.run(
        command,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env=dict(environment),
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def dying_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` after which the child gets the signal when this process is gone, however it went.

    Linux only, elsewhere None. Linux ties the signal to the *thread* that forks, so off the main thread it is None
    too: a worker thread's end must not take a database with it.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_for_the_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_for_the_signal
