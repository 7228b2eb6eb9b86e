"""Certify one row in this process: `python -m tools.matrix.one optax.adam FILE`."""

import json
import sys
from pathlib import Path

from tools.matrix.certificates import certified
from tools.matrix.rows import rows


def main(name: str, path: str) -> None:
    """Write the certificate of a row to a file."""
    found = json.dumps(certified(rows()[name]))
    Path(path).write_text(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
