"""Making a cluster: initdb, who may connect, the role and the database. Done beside its place and moved there whole.

SQL is given to the server's single-user mode on standard input: nothing listens before there are passwords, and no
password is ever an argument of a process. The same way, a cluster whose passwords were lost gets new ones.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from standalone.accounts import Account, run_as
from standalone.failures import CannotStart
from standalone.patience import Patience
from standalone.postgres_binaries import Binaries
from standalone.postgres_home import State

DATABASE = "finops"
ROLE = "finops"
SUPERUSER = "postgres"
_HOST_ACCESS = """\
# Written once by agent-finops: passwords always, and from this machine only.
host all all 127.0.0.1/32 scram-sha-256
"""
_BUILTIN_LOCALE_SINCE = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSetup:
    """The making of the cluster at `cluster`, by the account which will run it."""

    cluster: Path
    binaries: Binaries
    account: Account | None
    durable: bool
    say: Callable[[str], None]

    def create(self, state: State) -> None:
        """Make the cluster with the passwords of `state`; a crash leaves either none or a whole one."""
        staging = self.cluster.with_name(f"{self.cluster.name}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        if self.account:
            os.chown(staging, self.account.uid, self.account.gid)
        self._initdb(staging)
        (staging / "pg_hba.conf").write_text(_HOST_ACCESS, "utf-8")
        self._in_single_user_mode(
            staging,
            f"ALTER ROLE {SUPERUSER} PASSWORD '{state.superuser_password}'",
            f"CREATE ROLE {ROLE} LOGIN PASSWORD '{state.password}'",
            f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
        )
        staging.replace(self.cluster)

    def give_new_passwords(self, state: State) -> None:
        """Set the passwords of `state` in a cluster whose own are lost."""
        self.say(f"the passwords of the database in {self.cluster} are lost: it gets new ones")
        self._in_single_user_mode(
            self.cluster,
            f"ALTER ROLE {SUPERUSER} PASSWORD '{state.superuser_password}'",
            f"ALTER ROLE {ROLE} PASSWORD '{state.password}'",
        )

    def check_version(self) -> None:
        """Raises CannotStart where another major version of PostgreSQL made the cluster."""
        try:
            major = (self.cluster / "PG_VERSION").read_text("utf-8").strip()
        except OSError as fault:
            raise CannotStart(f"{self.cluster} is not a PostgreSQL cluster: {fault.strerror}: PG_VERSION") from fault
        if major != self.binaries.major:
            raise CannotStart(
                f"{self.cluster} was made by PostgreSQL {major} and this is PostgreSQL {self.binaries.version}: "
                f"set FINOPS_POSTGRES_BIN to a PostgreSQL {major}, or dump it and restore it in a new --data-dir"
            )

    def _initdb(self, directory: Path) -> None:
        command = [str(self.binaries.directory / "initdb"), "-D", str(directory), "-U", SUPERUSER]
        command += ["--auth=reject", "--encoding=UTF8", "--locale=C", "--data-checksums"]
        if int(self.binaries.major) >= _BUILTIN_LOCALE_SINCE:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self.durable:
            command.append("--no-sync")
        said = directory.with_name("initdb.log")
        patience = Patience("creating the database cluster", self.say)
        with open(said, "wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_environment(),
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        try:
            while process.poll() is None:
                patience.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            text = said.read_text("utf-8", "replace").strip()
            raise CannotStart(f"creating the database cluster failed: {text.rpartition(chr(10))[2]} (see {said})")
        said.unlink()

    def _in_single_user_mode(self, directory: Path, *statements: str) -> None:
        command = [str(self.binaries.directory / "postgres"), "--single", "-D", str(directory)]
        command += ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic"]
        command += ["-c", f"fsync={'on' if self.durable else 'off'}", "postgres"]
        given = "".join(f"{statement}\n" for statement in statements)
        done = run_as(self.account, command, environment=_environment(), given=given)
        if done.returncode != 0:
            raise CannotStart(f"setting up the database failed: {done.stdout.strip().rpartition(chr(10))[2]}")


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C"}
