"""The walls between the rooms, as pyproject.toml states them, stand; and a hole in any of them is seen."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOLES = {
    "finops/hole.py": "import time\nimport finops.ring\n",
    "finops/ring.py": "import finops.hole\n",
    "sql/hole.py": "import psycopg\n",
    "collector/hole.py": "import ledger.pool\nimport query_api.hole\nimport starlette\n",
    "query_api/hole.py": "import grpc\nimport httpcore2\nimport joserfc\nimport pyarrow\n",
    "doors/hole.py": "import collector.hole\n",
    "standalone/hole.py": "import genai_prices\nimport uvicorn\n",
}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", "--no-logo"], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )


def test_no_room_imports_what_it_may_not() -> None:
    answer = lint_imports(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_hole_in_any_wall_is_seen(tmp_path: Path) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in contracts["root_packages"]:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in HOLES.items():
        (tmp_path / name).write_text(text)
    answer = lint_imports(tmp_path)
    kept = [
        contract["name"] for contract in contracts["contracts"] if f"{contract['name']} BROKEN" not in answer.stdout
    ]
    assert not kept, answer.stdout + answer.stderr
