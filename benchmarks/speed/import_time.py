"""Does `import lecture_optax` cost more than the `import optax` that is in it?

    python -m benchmarks.speed.import_time

Wall time of a fresh interpreter that does nothing else.
"""

import subprocess
import sys

from ..measured import Figures, show
from .timing import Contestant, duel, seconds

ROUNDS = 5


def importer(module: str) -> Contestant:
    """The seconds of a process that imports `module` and ends."""
    command = [sys.executable, "-c", f"import {module}"]
    subprocess.run(command, check=True)  # the first one writes the bytecode
    return lambda: seconds(lambda: subprocess.run(command, check=True))


def figures() -> Figures:
    yield "import, Optax", duel(importer("lecture_optax"), importer("optax"), ROUNDS)


if __name__ == "__main__":
    show(figures())
