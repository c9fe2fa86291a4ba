"""Installs what each agent of a framework runs on, one environment each, in ~/.cache/agent-finops/frameworks.

    python examples/frameworks/install.py [NAME ...]

Needs ``uv`` beside the interpreter that runs it (``make setup`` brings it); some minutes on a first run. An environment
is made anew where the packages asked for are others than it was made with.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
TELEMETRY = [
    "opentelemetry-distro>=0.66b2,<1",
    "opentelemetry-exporter-otlp>=1.45,<2",
    "opentelemetry-instrumentation>=0.66b2,<1",
    "opentelemetry-semantic-conventions>=0.66b2,<1",
    "opentelemetry-util-genai>=1.3b0,<2",
]
"""What `opentelemetry-instrument` is made of; the last three are betas that have to be asked for by name."""


def main() -> int:
    """The exit status."""
    frameworks = tomllib.loads((HERE / "frameworks.toml").read_text("utf-8"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent-finops" / "frameworks"
    for name in sys.argv[1:] or frameworks:
        wanted = [*TELEMETRY, *frameworks[name]["packages"]]
        if not install(cache / name, wanted):
            return 1
    return 0


def install(place: Path, wanted: list[str]) -> bool:
    """Whether the environment at ``place`` has what is wanted, and nothing that was wanted before."""
    stamp = place / "wanted.txt"
    if stamp.exists() and stamp.read_text("utf-8").splitlines() == wanted:
        return True
    print(f"{place.name}: installing {' '.join(wanted)}", flush=True)
    uv = str(Path(sys.executable).parent / "uv")
    made = subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)], check=False)
    installing = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--prerelease=if-necessary-or-explicit",
        "--python",
        str(place / "bin" / "python"),
    ]
    if made.returncode or subprocess.run([*installing, *wanted], check=False).returncode:
        return False
    stamp.write_text("\n".join(wanted) + "\n", "utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
