"""Print and draw the regrets of all methods over all problems and seeds of a group."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .grid import SETS
from .scores import Rows, cost, difference, group_of, load, regrets, summary, untrained

LEAST = 0.1
"""Smaller regrets, in %, are drawn at this one."""

PICTURE = Path(__file__).parent / "data" / "pareto.png"

SEARCHES = ("the recipe", "first edition", "prototype 1", "prototype 3")
"""Methods that are named with their budgets: the recipe as it is, and earlier ones."""


def print_table(names: Iterable[str], plain: bool = False) -> None:
    table = load()
    for group, own in _by_group(names).items():
        print(f"\n{group}: regret in %, {len(own)} problems: median / 90th percentile / maximum")
        print(f"{'':30} {'runs':>5}  {'validation':22}  {'test':22}  untrained")
        for method, rows in table.items():
            both = [regrets(rows, own, which, plain) for which in SETS]
            if not any(both):
                continue
            words = "  ".join(str(summary(x)) if x else f"{'-':>22}" for x in both)
            count = max(map(len, both))
            note = "" if count == len(own) else f"  ({count} problems)"
            of_all = f"{untrained(rows, own)}{note}"
            print(f"{method:30} {cost(rows, own):5.2f}  {words}  {of_all}")
        _print_failures(table, own)
        _print_worst(table, own, plain)
        if group == "development":
            draw(table, own, plain)


def print_comparison(one: str, other: str, names: Iterable[str], plain: bool = False) -> None:
    """Print the mean difference between two methods in every group and at every common budget."""
    table, groups = load(), _by_group(names)
    print(f"{one} - {other}, in %: mean [95 % over problems], better : worse; 90th percentiles")
    for group, own in (groups if len(groups) == 1 else groups | {"all": list(names)}).items():
        for budget in _common_budgets(table, one, other):
            print(f"{group + budget:20}", end="")
            for which in SETS:
                two = [
                    regrets(table[method + budget], own, which, plain) for method in (one, other)
                ]
                common = [{n: x[n] for n in two[0] if n in two[1]} for x in two]
                if not common[0]:
                    continue
                found, (p90, before) = difference(*common), (summary(x).p90 for x in common)
                print(
                    f"  {which} ({len(common[0])}) {found.mean:+.2f} [{found.low:.2f}, "
                    f"{found.high:.2f}], {found.better} : {found.worse}; {p90:.1f}, {before:.1f}",
                    end="",
                )
            print()


def draw(table: dict[str, Rows], names: list[str], plain: bool = False) -> None:
    """Draw the 90th percentile over the cost: searches as lines, the others as points."""
    try:
        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("Matplotlib is not installed, so nothing is drawn: pip install matplotlib")
        return
    _, ax = plt.subplots(figsize=(11, 6), layout="constrained")
    points = {}
    for method, rows in table.items():
        if found := regrets(rows, names, "valid", plain):
            points[method] = cost(rows, names), max(LEAST, summary(found).p90)
    baselines = {method: at for method, at in points.items() if not method.startswith(SEARCHES)}
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
    for search in SEARCHES:
        own = sorted(at for method, at in points.items() if method.startswith(search))
        if own:
            ax.plot(*zip(*own, strict=True), "o-", label=f"{search}, by its budget")
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


def _by_group(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(group_of(name), []).append(name)
    return groups


def _common_budgets(table: dict[str, Any], one: str, other: str) -> list[str]:
    """Return what follows both names: nothing, or ", 1.5" and the like."""
    if one in table and other in table:
        return [""]
    ends = [method.removeprefix(one) for method in table if method.startswith(f"{one}, ")]
    return [end for end in ends if other + end in table]


def _spread(points: dict[str, tuple[float, float]]) -> Iterator[tuple[str, Any, float]]:
    """Yield each point with a height for its name: names at about one cost are 25 % apart."""
    last: dict[int, float] = {}
    for method, (runs, p90) in sorted(points.items(), key=lambda item: item[1][1]):
        column = round(2 * np.log2(runs))
        last[column] = max(p90, 1.25 * last.get(column, 0.0))
        yield method, (runs, p90), last[column]


def _print_failures(table: dict[str, Rows], names: list[str]) -> None:
    for method, rows in table.items():
        for name in names:
            for number, seed in enumerate(rows.get(name, [])):
                if len(seed) == 1:
                    print(f"failed: {method}, {name}, seed {number}: {seed[0]}")


def _print_worst(table: dict[str, Rows], names: list[str], plain: bool) -> None:
    for method in (method for method in table if method.startswith(SEARCHES)):
        for which in SETS:
            found = regrets(table[method], names, which, plain)
            worst = sorted(((max(x), name) for name, x in found.items()), reverse=True)[:3]
            if worst:
                print(f"{method}, {which}: " + "; ".join(f"{name} {x:.1f}" for x, name in worst))
