"""An environment for each package of another author, below `build/matrix`."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tools.imports import ROOT
from tools.matrix.packages import PACKAGES, Package

FOLDER = ROOT / "build" / "matrix" / "environments"
FIXED = ("jax", "jaxlib", "numpy", "optax")
"""What must have the version of the lock; a package may ask for another version of the rest."""


def python_for(requirement: str) -> str:
    """Return the interpreter that has a package, and this library from this folder."""
    if not requirement:
        return sys.executable
    (package,) = (x for x in PACKAGES if x.requirement == requirement)
    folder = FOLDER / requirement.partition("==")[0]
    python = folder / "bin" / "python"
    done = folder / f".with-{requirement}"
    if not done.exists():
        _make(folder, python, package)
        done.touch()
    return str(python)


def _make(folder: Path, python: Path, package: Package) -> None:
    setup = ["sh", ".ci/set_up", sys.executable, str(folder), "theory"]
    subprocess.run(setup, check=True, cwd=ROOT, env={**os.environ, "LOCK": "requirements.lock"})
    pattern = rf"^(?:{'|'.join(FIXED)})==.*$"
    locked = re.findall(pattern, (ROOT / "requirements.lock").read_text(), re.M)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join([*locked, ""]))
    install = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(constraints)]
    subprocess.run([*install, package.requirement, *package.needs], check=True)
