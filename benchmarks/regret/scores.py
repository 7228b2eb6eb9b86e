"""Regrets from measured losses and the grid, their summary, and intervals over problems."""

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..problems import GROUPS
from .grid import SETS, TABLE

FILE = Path(__file__).parent / "data" / "losses.json"

Rows = dict[str, list[list[Any]]]
"""Of each problem and seed: the validation loss, the test loss and the cost; or an error."""

Regrets = dict[str, list[float]]
"""The regrets of each problem in %, one a seed."""


class Summary(NamedTuple):
    """Statistics of regrets over problems and seeds, in %."""

    median: float
    p90: float
    most: float
    mean: float

    def __str__(self) -> str:
        return f"{self.median:6.2f} / {self.p90:5.1f} / {self.most:5.1f}"


class Difference(NamedTuple):
    """The mean difference between two methods, its 95 % interval over problems, and how often the
    first is better and worse by more than half a point."""

    mean: float
    low: float
    high: float
    better: int
    worse: int


def load() -> dict[str, Rows]:
    """Return the rows of every method."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def save(table: dict[str, Rows]) -> None:
    """Write a line for each method and problem, so that a diff shows what changed."""
    blocks = [
        f"{json.dumps(method)}: {{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(x)}" for name, x in sorted(rows.items()))
        + "\n}"
        for method, rows in table.items()
    ]
    part = FILE.with_suffix(".part")
    part.write_text("{\n" + ",\n".join(blocks) + "\n}\n")
    part.replace(FILE)


class Records:
    """Adds measured rows to the file. A row waits until those of smaller seeds are there."""

    def __init__(self):
        self.waiting: dict[tuple[str, str], dict[int, list[Any]]] = {}

    def add(self, method: str, name: str, seed: int, row: list[Any]) -> None:
        """Add the row of a seed, in place of an earlier one."""
        table = load()
        rows = table.setdefault(method, {}).setdefault(name, [])
        own = self.waiting.setdefault((method, name), {})
        own[seed] = row
        for at in sorted(own):
            if at <= len(rows):
                rows[at : at + 1] = [own.pop(at)]
        save(table)


def group_of(name: str) -> str:
    """Return the group of a problem; `folder/problem` is of its folder."""
    own = [group for group, cases in GROUPS.items() if name in cases]
    return own[0] if own else name.partition("/")[0]


def regrets(rows: Rows, names: Iterable[str], which: str, plain: bool = False) -> Regrets:
    """Return the regrets on the set `which`. A failure counts as 100.

    `plain` scores against the best last raw loss of a run instead of whatever a run can return.
    """
    grid, place = _grid(TABLE), SETS.index(which)
    found = {}
    for name in names:
        if name not in rows or name not in grid or grid[name]["start"][which] is None:
            continue
        best, start = grid[name]["last" if plain else "best"][which], grid[name]["start"][which]
        losses = [seed[place] if len(seed) > 1 else np.inf for seed in rows[name]]
        if None in losses:  # it was trained on these examples
            continue
        found[name] = [_capped(100 * (loss - best) / (start - best)) for loss in losses]
    return found


def untrained(rows: Rows, names: Iterable[str]) -> int:
    """Return how many models have the validation loss of their start."""
    grid = _grid(TABLE)
    return sum(
        len(seed) > 1 and seed[0] is not None and np.isclose(seed[0], start, rtol=3e-6, atol=0)
        for name in names
        if name in rows and name in grid
        for seed, start in zip(rows[name], grid[name]["start"]["seeds"], strict=False)
    )


def cost(rows: Rows, names: Iterable[str]) -> float:
    """Return the mean cost in training runs."""
    every = [x[2] for name in names for x in rows.get(name, []) if len(x) > 1]
    return float(np.mean(every)) if every else float("nan")


def summary(found: Regrets) -> Summary:
    every = np.concatenate([np.asarray(x) for x in found.values()])
    return Summary(
        *map(float, (np.median(every), np.percentile(every, 90), every.max())), every.mean()
    )


def difference(one: Regrets, other: Regrets) -> Difference:
    """Compare two methods on the problems and seeds that both have; the interval is a bootstrap
    over problems."""
    pairs = {
        name: np.array([a - b for a, b in zip(one[name], other[name], strict=False)])
        for name in one
        if name in other
    }
    means = np.array([x.mean() for x in pairs.values()])
    every, random = np.concatenate(list(pairs.values())), np.random.default_rng(0)
    drawn = means[random.integers(len(means), size=(5000, len(means)))].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    better, worse = int((every < -0.5).sum()), int((every > 0.5).sum())
    return Difference(float(means.mean()), float(low), float(high), better, worse)


@functools.cache
def _grid(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


def _capped(regret: float) -> float:
    return min(100.0, regret) if np.isfinite(regret) else 100.0
