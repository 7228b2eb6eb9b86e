"""Measure what `make bench` measures, and write it to a folder of results.

    python -m benchmarks.run [--into FOLDER] [benchmark ...]

Each benchmark is a module with a function `figures`. It runs in a process of its own, without a
compilation cache, and writes `NAME.json` and a picture of its ratios, `NAME.png`, by default in
`benchmarks/results`. On two quiet cores all of them take a quarter of an hour.
"""

import argparse
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

from .measured import RESULTS, Figures, save, show
from .picture import draw

MODULES = (
    "speed.adam_step",
    "speed.compile_time",
    "speed.many_leaves",
    "speed.import_time",
    "speed.training_speed",
    "speed.large_models",
    "speed.records_cost",
    "speed.sweep_compiles",
    "precision",
    "regret.search_time",
    "regret.subset",
    "diagnosis.quadratics",
    "lab",
)
BENCHMARKS = {module.rpartition(".")[2]: f"benchmarks.{module}" for module in MODULES}


def measure(name: str, folder: Path) -> None:
    """Measure one benchmark in this process."""
    found = {}

    def noted() -> Figures:
        for one, figure in importlib.import_module(BENCHMARKS[name]).figures():
            found[one] = figure
            yield one, figure

    began = time.perf_counter()
    show(noted())
    taken = round(time.perf_counter() - began)
    save(name, f"python -m {BENCHMARKS[name]}", found, folder, seconds=taken)
    draw(found, folder / f"{name}.png")


def measure_all(names: list[str], folder: Path) -> int:
    """Measure each benchmark in a process of its own; return how many failed."""
    environment = {x: y for x, y in os.environ.items() if "COMPILATION_CACHE" not in x}
    began, failed = time.perf_counter(), []
    for name in names:
        print(f"\n{name}", flush=True)
        words = [sys.executable, "-m", "benchmarks.run", "--alone", "--into", str(folder), name]
        if subprocess.run(words, env=environment).returncode:
            failed.append(name)
    print(f"\n{(time.perf_counter() - began) / 60:.1f} minutes. Failed: {', '.join(failed) or '-'}")
    return len(failed)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []])
    parser.add_argument("--into", type=Path, default=RESULTS)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.alone:
        measure(given.names[0], given.into)
        return 0
    return measure_all(given.names or list(BENCHMARKS), given.into)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
