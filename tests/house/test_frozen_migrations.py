"""A migration that has been released never changes again; a change is a new file."""

import re
from hashlib import sha256
from pathlib import Path

from sql import migrations

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ROOT / "sql" / "migrations"


def frozen() -> dict[str, str]:
    lines = (MIGRATIONS / "frozen.txt").read_text("utf-8").splitlines()
    return {
        name: digest for digest, name in (line.split() for line in lines if line.strip() and not line.startswith("#"))
    }


def test_released_migrations_are_as_released() -> None:
    changed = [
        name for name, digest in frozen().items() if sha256((MIGRATIONS / name).read_bytes()).hexdigest() != digest
    ]
    assert not changed, f"write a new migration instead of changing {changed}"


def test_migrations_are_numbered_without_gaps() -> None:
    files = sorted(path.name for path in MIGRATIONS.glob("*.sql"))
    strange = [name for name in files if not re.fullmatch(r"\d{4}_[a-z0-9_]+(\.(timescale|postgres))?\.sql", name)]
    assert not strange, strange
    numbers = sorted({int(name[:4]) for name in files})
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_number_is_taken_once_on_every_engine() -> None:
    for engine in ("timescale", "postgres"):
        other = {"timescale": ".postgres.sql", "postgres": ".timescale.sql"}[engine]
        numbers = [path.name[:4] for path in MIGRATIONS.glob("*.sql") if not path.name.endswith(other)]
        assert sorted(set(numbers)) == sorted(numbers), engine


def test_every_statement_says_what_it_is() -> None:
    bare = [
        path.name
        for path in (ROOT / "sql" / "queries").glob("*.sql")
        if not path.read_text("utf-8").lstrip().startswith("--")
    ]
    assert not bare, f"the header of a statement says what it is and who calls it: {bare}"


def test_every_engine_has_one_migration_a_number_at_most() -> None:
    for engine in ("postgres", "timescale"):
        numbers = [item.number for item in migrations() if item.engine in (None, engine)]
        assert sorted(set(numbers)) == numbers
