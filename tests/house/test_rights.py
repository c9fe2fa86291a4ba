"""Every table says who may use it: without a grant none of the services can."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SQL = ROOT / "sql"


def tables() -> set[str]:
    """Tables that the migrations leave behind."""
    texts = [re.sub(r"--.*", "", path.read_text("utf-8")) for path in sorted((SQL / "migrations").glob("*.sql"))]
    text = "\n".join(texts)
    made = set(re.findall(r"create table (?:if not exists )?(\w+)", text))
    return made - set(re.findall(r"drop table (?:if exists )?(\w+)", text))


def test_every_table_is_granted_to_somebody() -> None:
    grants = "\n".join(path.read_text("utf-8") for path in (SQL / "rights").glob("*_grants*.sql"))
    granted = set(re.findall(r"\w+", " ".join(re.findall(r"^grant\b[^;]*;", grants, re.MULTILINE))))
    missing = tables() - granted
    assert not missing, (
        f"no service can use {sorted(missing)}: say who may in sql/rights/3_grants.sql and, where its rows belong to "
        "organisations, in sql/rights/1_walls.sql"
    )


def test_every_statement_of_rights_says_what_it_is() -> None:
    assert all(path.read_text("utf-8").startswith("-- ") for path in (SQL / "rights").glob("*.sql"))


def test_every_pool_of_the_query_api_sees_through_the_walls() -> None:
    opened = [
        {word.arg for word in node.keywords}
        for path in (ROOT / "query_api").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pool"
    ]
    assert opened
    assert all("wall" in words for words in opened)
