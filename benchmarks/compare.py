"""Compare ratios with the stored ones, and fail where one got worse beyond its spread.

    python -m benchmarks.compare [FOLDER]

FOLDER has the results of `python -m benchmarks.run --into FOLDER`; without it they are measured. A
ratio is worse if it is above the range of the stored rounds, and the stored ratio is below the
range of the new rounds, both by 5 %. Ratios compare two contestants in one process, so they may be
of another machine; seconds are not compared.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from .measured import RESULTS, Figure, load, words
from .run import BENCHMARKS, measure_all

SLACK = 1.05
"""Processes differ by a little more than the rounds of one."""


def is_worse(now: Figure, before: Figure) -> bool:
    return now["ratio"] > SLACK * before["high"] and SLACK * before["ratio"] < now["low"]


def said(one: Figure) -> str:
    """Return a ratio with its range."""
    ratio, low, high = (words(key, one[key]) for key in ("ratio", "low", "high"))
    return f"{ratio} ({low} to {high})"


def worse(folder: Path, stored: Path) -> list[str]:
    """Print all ratios that both folders have, and return the worse ones."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if not (stored / path.name).exists():
            continue
        now, before = (load(path.stem, x)["figures"] for x in (folder, stored))
        for name in (x for x in now if x in before and "ratio" in now[x]):
            mark = "worse" if is_worse(now[name], before[name]) else ""
            line = f"{path.stem}: {name:50} {said(before[name])} -> {said(now[name])}  {mark}"
            print(line.rstrip())
            found += [f"{path.stem}: {name}"] if mark else []
    return found


def main(given: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--stored", type=Path, default=RESULTS)
    args = parser.parse_args(given)
    folder = args.folder or Path(tempfile.mkdtemp())
    failed = 0 if args.folder else measure_all(list(BENCHMARKS), folder)
    found = worse(folder, args.stored)
    print(f"{len(found)} ratios got worse beyond their spread.")
    return bool(found or failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
