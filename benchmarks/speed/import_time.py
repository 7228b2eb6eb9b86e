"""Does `import lecture_optax` cost more than the `import optax` that is in it?

    python -m benchmarks.speed.import_time

Wall time of a fresh interpreter that does nothing else.
"""

import subprocess
import sys

from .timing import Contestant, duel, seconds

ROUNDS = 8


def importer(module: str) -> Contestant:
    """The seconds of a process that imports `module` and ends."""
    command = [sys.executable, "-c", f"import {module}"]
    subprocess.run(command, check=True)  # the first one writes the bytecode
    return lambda: seconds(lambda: subprocess.run(command, check=True))


def main() -> None:
    mine, other, ratio = duel(importer("lecture_optax"), importer("optax"), ROUNDS)
    print(f"import lecture_optax {mine:.2f} s, import optax {other:.2f} s, {ratio:.2f}x")


if __name__ == "__main__":
    main()
