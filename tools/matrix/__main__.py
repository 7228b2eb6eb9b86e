"""Certify every public optimizer of Optax, `optax.contrib` and this library, for the docs.

    python -m tools.matrix                        # what has changed since, half an hour for all
    python -m tools.matrix optax.adam lo.adam     # these rows
    python -m tools.matrix --packages             # also those of other packages: it installs them
    python -m tools.matrix --check optax.adam     # compare with what is stored, write nothing

Each row is certified in a process of its own and stored in `docs/reference/matrix/certificates`:
the same command resumes a run that was interrupted. The pages are made of what is stored.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from tools.imports import ROOT
from tools.matrix.certificates import changes, forget_all_but, store, stored
from tools.matrix.environments import python_for
from tools.matrix.rows import Row, rows

MADE = ROOT / "build" / "matrix" / "certificates"
LIMIT = 600
"""Seconds for a row."""

SETTINGS = {
    "JAX_PLATFORMS": "cpu",
    "JAX_COMPILATION_CACHE_DIR": str(ROOT / "build" / "matrix" / "jax"),  # rows have much in common
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
}

SOURCES = ("_core", "linting", "testing", "theory")


def main() -> int:
    """Certify, and return whether a row differs from what is stored or could not be certified."""
    given = _arguments()
    known = rows()
    for name in given.rows:
        if name not in known:
            raise SystemExit(f"{name} is no row: they are {', '.join(known)}.")
    chosen = given.rows or [n for n, row in known.items() if given.packages or not row.package]
    wrong = 0
    for name in chosen:
        started = time.monotonic()
        made, problem = _made(known[name], again=bool(given.rows))
        if made:
            said = _compared(name, made) if given.check else _stored(name, made)
            wrong += given.check and said != "the same"
        else:
            said, wrong = f"no certificate: {problem}", wrong + 1
        print(f"{name} ({time.monotonic() - started:.0f} s): {said}", flush=True)
    if not given.check and not given.rows:
        forget_all_but(set(known))
    return bool(wrong)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", help="names of rows; all without")
    parser.add_argument("--packages", action="store_true", help="also those of other packages")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    return parser.parse_args()


def _made(row: Row, again: bool) -> tuple[dict | None, str]:
    """Return the certificate of this state of the sources, and why there is none."""
    path = MADE / f"{row.name}.json"
    if again or not path.exists() or path.stat().st_mtime < _newest():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        command = [python_for(row.package), "-m", "tools.matrix.one", row.name, str(path)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **SETTINGS}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, timeout=LIMIT, capture_output=True, text=True
            )
        except subprocess.TimeoutExpired:
            return None, f"it takes more than {LIMIT} s"
        if done.returncode or not path.exists():
            return None, (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    return json.loads(path.read_text()), ""


def _newest() -> float:
    """Return the time of the last change of what certifies."""
    files = [p for at in SOURCES for p in (ROOT / "lecture_optax" / at).rglob("*.py")]
    return max(path.stat().st_mtime for path in files)


def _stored(name: str, made: dict) -> str:
    store(name, made)
    return made.get("refused") or "certified"


def _compared(name: str, made: dict) -> str:
    before = stored(name)
    if before is None:
        return "it is not stored"
    return "; ".join(changes(before, made)) or "the same"


if __name__ == "__main__":
    sys.exit(main())
