"""Asks pip-audit what is known against what the locks pin, and never takes silence for an all-clear.

    python requirements/audit.py requirements/runtime.txt ...

Where pip-audit reaches no advisory service it still says "no known vulnerabilities" and passes over what it could not
look up. So here every package is either looked up or told to be not: 1 where a weakness is known, 0 otherwise.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PIP_AUDIT = "pip-audit==2.10.1"
SECONDS_MAX = 120


def main(locks: Sequence[str]) -> int:
    """The exit status."""
    statuses = [judge(lock) for lock in locks]
    return max(statuses, default=0)


def judge(lock: str) -> int:
    """One lock, told in a line for each weakness; returns 1 where there is any."""
    report = asked(lock)
    if report is None:
        print(f"{lock}: not audited, because {PIP_AUDIT} could not be had or did not run")
        return 0
    packages = report["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    weak = [(package, one) for package in packages for one in package.get("vulns", ())]
    for package, one in weak:
        fixed = ", ".join(one["fix_versions"]) or "nothing yet"
        print(f"{lock}: {package['name']} {package['version']}: {one['id']}, fixed in {fixed}")
    told = f"{len(packages) - len(skipped)} of {len(packages)} packages looked up, {len(weak)} weaknesses known"
    print(f"{lock}: {told}")
    if skipped:
        print(
            f"{lock}: {len(skipped)} were NOT looked up: no advisory service answers here ({skipped[0]['skip_reason']})"
        )
    return 1 if weak else 0


def asked(lock: str) -> dict[str, list[dict[str, Any]]] | None:
    """pip-audit's report; None where it has none."""
    uv = Path(sys.executable).with_name("uv")
    words = ["tool", "run", "--quiet", PIP_AUDIT, "--requirement", lock, "--require-hashes", "--disable-pip"]
    words += ["--progress-spinner", "off", "--format", "json"]
    try:
        answer = subprocess.run([uv, *words], capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
        found: dict[str, list[dict[str, Any]]] = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
