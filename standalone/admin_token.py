"""The token `up` makes on its first start: in a file only its owner can read, valid in the ledger by its hash."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from finops.access import Scope
from ledger.pool import Connection
from ledger.tokens import RevokedToken, register
from standalone.database import in_ledger
from standalone.failures import CannotStart
from standalone.postgres_home import write_private

_PREFIX = "finops_"
_RANDOM_BYTES = 32


def new_token() -> str:
    """256 random bits that can be recognised as one of ours wherever they leak to."""
    return _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def token_file(data_dir: Path, environment: Mapping[str, str]) -> Path:
    """Where the admin token is kept: FINOPS_ADMIN_TOKEN_FILE, else `admin-token` in the data directory."""
    configured = environment.get("FINOPS_ADMIN_TOKEN_FILE")
    return Path(configured) if configured else data_dir / "admin-token"


def read_token(path: Path) -> str | None:
    """The token in the file, None where there is no file or nothing in it. Raises CannotStart."""
    try:
        return path.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as fault:
        raise CannotStart(f"cannot read the admin token in {path}: {fault}") from fault


def ensure_admin_token(path: Path, database_url: str, say: Callable[[str], None]) -> str:
    """The admin token, made where there is none, valid in the ledger when this returns. Raises CannotStart."""
    token = read_token(path) or _made(path)
    try:
        _enter(database_url, token)
    except RevokedToken:
        say(f"the admin token in {path} had been revoked: a new one replaces it")
        token = _made(path)
        _enter(database_url, token)
    return token


def _made(path: Path) -> str:
    token = new_token()
    write_private(path, f"{token}\n")
    return token


def _enter(database_url: str, token: str) -> None:
    in_ledger(database_url, lambda connection: _register(connection, token))


async def _register(connection: Connection, token: str) -> None:
    # A name of its own for each secret: two data directories over one database must not revoke each other's.
    name = f"admin-{hashlib.sha256(token.encode()).hexdigest()[:8]}"
    await register(connection, name=name, secret=token, scopes=[Scope.ADMIN])
