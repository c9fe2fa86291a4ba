"""``python -m grafana``: writes every board's dashboard to where the Helm chart ships them from."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Final

from grafana.classic import dashboard

BOARDS: Final = Path(__file__).parent / "boards"
DASHBOARDS: Final = Path(__file__).parents[1] / "helm" / "agent-finops" / "files" / "dashboards"


def rendered() -> dict[str, str]:
    """File name to text, of every dashboard."""
    return {
        f"{path.stem}.json": json.dumps(dashboard(path.stem, tomllib.loads(path.read_text("utf-8"))), indent=1) + "\n"
        for path in sorted(BOARDS.glob("*.toml"))
    }


def main() -> int:
    """Writes the files; the exit status."""
    DASHBOARDS.mkdir(parents=True, exist_ok=True)
    for name, text in rendered().items():
        (DASHBOARDS / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
