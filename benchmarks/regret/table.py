"""Print and draw the regrets of all methods over all problems and seeds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .grid import TABLE

FILE = Path(__file__).parent / "data" / "losses.json"
LEAST = 0.1
"""Smaller regrets, in %, are drawn at this one."""

PICTURE = Path(__file__).parent / "data" / "pareto.png"

Regrets = dict[str, list[float]]
"""The regrets of each problem in %, one a seed."""


def regrets(rows: dict[str, list[list[Any]]], which: int) -> Regrets:
    """Return the regrets on the validation set (0) or the test set (1). A failure counts as 100."""
    grid = json.loads(TABLE.read_text())
    key = ("valid", "test")[which]
    found = {}
    for name, seeds in rows.items():
        best, start = grid[name]["best"][key], grid[name]["start"][key]
        losses = [seed[which] if len(seed) > 1 else np.inf for seed in seeds]
        found[name] = [_capped(100 * (loss - best) / (start - best)) for loss in losses]
    return found


def summary(found: Regrets) -> tuple[float, float, float]:
    """Return median, 90th percentile and maximum."""
    every = np.concatenate([np.asarray(x) for x in found.values()])
    return float(np.median(every)), float(np.percentile(every, 90)), float(every.max())


def interval(found: Regrets) -> tuple[float, float]:
    """Return a 95 % interval of the 90th percentile, by a bootstrap over problems."""
    random, names = np.random.default_rng(0), list(found)
    drawn = [
        np.percentile(np.concatenate([found[n] for n in random.choice(names, len(names))]), 90)
        for _ in range(1000)
    ]
    return tuple(np.percentile(drawn, [2.5, 97.5]))  # type: ignore[return-value]


def print_table() -> None:
    table = json.loads(FILE.read_text())
    problems = {name for rows in table.values() for name in rows}
    print(f"Regret in %, {len(problems)} problems: median / 90th percentile [95 %] / maximum")
    print(f"{'':30} {'runs':>5}  {'validation':32}  test")
    for method, rows in table.items():
        both = [regrets(rows, which) for which in (0, 1)]
        words = f"{_words(both[0]):32}  {_words(both[1])}"
        print(f"{method:30} {_cost(rows):5.2f}  {words}{_note(rows, problems)}")
    _print_failures(table)
    _print_worst(table)
    draw(table)


def draw(table: dict[str, Any]) -> None:
    """Draw the 90th percentile over the cost: the recipe as a line, the others as points."""
    try:
        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("Matplotlib is not installed, so nothing is drawn: pip install matplotlib")
        return
    _, ax = plt.subplots(figsize=(11, 6), layout="constrained")
    points = {
        method: (_cost(rows), max(LEAST, summary(regrets(rows, 0))[1]))
        for method, rows in table.items()
    }
    own = sorted(at for method, at in points.items() if method.startswith("the recipe"))
    baselines = {method: at for method, at in points.items() if not method.startswith("the recipe")}
    for method, at, height in _spread(baselines):
        ax.plot(*at, "s", color="0.45", markersize=4)
        ax.annotate(
            method,
            at,
            (1.1 * at[0], height),
            fontsize=8,
            va="center",
            arrowprops={"arrowstyle": "-", "color": "0.75", "shrinkA": 0, "shrinkB": 2},
        )
    ax.plot(*zip(*own, strict=True), "o-", label="the recipe, by its budget")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks([1, 1.5, 2, 3, 4.5, 8, 16, 32], ["1", "1.5", "2", "3", "4.5", "8", "16", "32"])
    ax.set_xticks([], minor=True)
    ax.set_yticks([0.1, 0.3, 1, 3, 10, 30, 100], ["≤ 0.1", "0.3", "1", "3", "10", "30", "100"])
    ax.set_xlim(right=55)
    ax.set_ylim(top=150)
    ax.set(xlabel="mean cost, in training runs")
    ax.set(ylabel="regret on the validation set, 90th percentile over problems and seeds (%)")
    ax.legend(loc="upper right")
    plt.savefig(PICTURE, dpi=110)
    plt.close()


def _cost(rows: dict[str, Any]) -> float:
    return float(np.mean([seed[2] for seeds in rows.values() for seed in seeds if len(seed) > 1]))


def _spread(points: dict[str, tuple[float, float]]) -> Iterator[tuple[str, Any, float]]:
    """Yield each point with a height for its name: names at about one cost are 25 % apart."""
    last: dict[int, float] = {}
    for method, (cost, p90) in sorted(points.items(), key=lambda item: item[1][1]):
        column = round(2 * np.log2(cost))
        last[column] = max(p90, 1.25 * last.get(column, 0.0))
        yield method, (cost, p90), last[column]


def _words(found: Regrets) -> str:
    median, p90, most = summary(found)
    low, high = interval(found)
    return f"{median:5.2f} / {p90:5.1f} [{low:.1f}, {high:.1f}] / {most:5.1f}"


def _note(rows: dict[str, Any], problems: set[str]) -> str:
    return "" if len(rows) == len(problems) else f"  ({len(rows)} of the problems)"


def _print_failures(table: dict[str, Any]) -> None:
    for method, rows in table.items():
        for name, seeds in rows.items():
            for number, seed in enumerate(seeds):
                if len(seed) == 1:
                    print(f"failed: {method}, {name}, seed {number}: {seed[0]}")


def _print_worst(table: dict[str, Any]) -> None:
    for method in (method for method in table if method.startswith("the recipe")):
        found = regrets(table[method], 0)
        worst = sorted((max(x), name) for name, x in found.items())[:-4:-1]
        print(f"{method}, largest: " + "; ".join(f"{name} {x:.1f}" for x, name in worst))


def _capped(regret: float) -> float:
    return min(100.0, regret) if np.isfinite(regret) else 100.0
