"""Are the files of a checkpoint as they were written?

Orbax notices a file that is lost or cut off, in as many threads as there are arrays, each with a
traceback of its own; and a changed bit not at all.
"""

import json
import zlib
from pathlib import Path

SEAL = "seal.json"


def seal(path: Path) -> None:
    """Write the checksums of all files of a checkpoint beside them."""
    part = path / f"{SEAL}.part"
    part.write_text(json.dumps(_checksums(path)))
    part.replace(path / SEAL)


def check_seal(path: Path) -> None:
    """Compare the files with their seal. A writer may have been killed before it set one.

    **Raises** `ValueError` for a file that is missing or not as it was written.
    """
    if not (path / SEAL).exists():
        return
    now, before = _checksums(path), json.loads((path / SEAL).read_text())
    for name in before:
        if now.get(name) != before[name]:
            raise ValueError(f"{name} is {'missing' if name not in now else 'not as written'}")


def _checksums(path: Path) -> dict[str, int]:
    """CRC-32 of every file."""
    files = (x for x in path.rglob("*") if x.is_file() and not x.name.startswith(SEAL))
    return {str(x.relative_to(path)): zlib.crc32(x.read_bytes()) for x in files}
