"""Builds a wheel whose hottest modules are compiled by mypyc, where ``FINOPS_COMPILE=1`` asks for it.

The same sources, the same types, about twice as fast; it takes a C compiler and a minute. Without the variable the
wheel is pure Python and this hook does nothing. Which modules are compiled is said in ``pyproject.toml``.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SWITCH = "FINOPS_COMPILE"
COMPILERS = ["mypy[mypyc]>=2.0,<3", "setuptools>=80", "msgspec>=0.21,<1"]
"""And msgspec, whose classes have arguments that mypy must know of."""
WITHOUT_DEPENDENCIES = [
    "--ignore-missing-imports", "--allow-subclassing-any", "--no-warn-unused-ignores", "--no-warn-return-any",
]  # fmt: skip
"""An isolated build has little of what the sources import; `make check` has looked at their types."""


class CompileHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling leaves its configuration untyped
    """Adds the extension modules to the wheel, beside their sources."""

    def dependencies(self) -> list[str]:
        """What an isolated build has to install first."""
        return COMPILERS if self._is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles into a folder that goes with the build. ``version`` is 'editable' for an editable install."""
        if not self._is_wanted() or version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory()
        os.environ.setdefault("MYPYPATH", self.root)
        for built in _compile(self.config["modules"], Path(self.root), Path(self._folder.name)):
            build_data["force_include"][str(built)] = str(built.relative_to(Path(self._folder.name) / "lib"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _is_wanted(self) -> bool:
        return self.target_name == "wheel" and os.environ.get(SWITCH) == "1"


def _compile(patterns: list[str], root: Path, folder: Path) -> list[Path]:
    """The extension modules of the modules named, below ``folder``/lib; raises where there is no C compiler."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    sources = sorted({str(path.relative_to(root)) for pattern in patterns for path in root.glob(pattern)})
    generated = str(folder / "c")
    extensions = mypycify([*WITHOUT_DEPENDENCIES, *sources], target_dir=generated, opt_level="3", debug_level="0")
    distribution = Distribution({"name": "agent-finops", "ext_modules": extensions})
    command = distribution.get_command_obj("build_ext")
    command.set_undefined_options("build")
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "objects")
    command.ensure_finalized()
    command.run()
    return sorted(path for path in (folder / "lib").rglob("*") if path.is_file())
