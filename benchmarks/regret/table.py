"""Print and draw the regrets of all methods over all problems and seeds of a group."""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..measured import RESULTS, Figure, save, words
from ..problems import GROUPS
from .grid import SETS
from .scores import Rows, cost, difference, group_of, load, regrets, summary, untrained

LEAST = 0.1
"""Smaller regrets, in %, are drawn at this one."""

PICTURE = RESULTS / "regret.png"

SEARCHES = ("the recipe", "first edition", "prototype 1", "prototype 3")
"""Methods that are named with their budgets: the recipe as it is, and earlier ones."""

OURS = ("the recipe", "lo.fit")

MEASURED = {
    "machine": "AMD EPYC, 2 cores",
    "date": "2026-11-25 to 2026-11-30",
    "versions": {"jax": "0.10", "optax": "0.2.8"},
}
"""Where and when the losses were measured. Change it with them."""

STATISTICS = {"median": 0, "90 %": 1, "worst": 2}


def figure_of(rows: Rows, names: list[str], plain: bool = False) -> Figure:
    """Return the cost of a method and its regrets on both sets."""
    both = {which: regrets(rows, names, which, plain) for which in SETS}
    found = {"problems": max(map(len, both.values())), "cost, runs": cost(rows, names)}
    for which, word in zip(SETS, ("validation", "test"), strict=True):
        if both[which]:
            every = summary(both[which])
            found |= {f"{word} {name}, %": every[i] for name, i in STATISTICS.items()}
    return found | {"untrained": untrained(rows, names)}


def figures(table: dict[str, Rows], names: list[str], plain: bool = False) -> dict[str, Figure]:
    """Return the figures of all methods that were measured on some of the problems."""
    found = {method: figure_of(rows, names, plain) for method, rows in table.items()}
    return {method: figure for method, figure in found.items() if figure["problems"]}


def print_table(names: Iterable[str], plain: bool = False) -> None:
    """Print the table of every group, and keep those of whole groups."""
    table = load()
    for group, own in _by_group(names).items():
        found = figures(table, own, plain)
        print(f"\n{group}: regret in %, {len(own)} problems: median / 90th percentile / worst")
        print(f"{'':30} {'runs':>5}  {'validation':22}  {'test':22}  untrained")
        for method, figure in found.items():
            both = ("  ".join(_columns(figure, x)) for x in ("validation", "test"))
            note = "" if figure["problems"] == len(own) else f"  ({figure['problems']} problems)"
            line = f"{figure['cost, runs']:5.2f}  {'  '.join(both)}  {figure['untrained']}{note}"
            print(f"{method:30} {line}")
        _print_failures(table, own)
        _print_worst(table, own, plain)
        if own == list(GROUPS.get(group, ())) and not plain:
            save(f"regret_{group}", "python -m benchmarks.regret --table", found, **MEASURED)
            if group == "development":
                draw(found)


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


def draw(found: dict[str, Figure]) -> None:
    """Draw the 90th percentile over the cost, on both sets: the recipe as a line."""
    try:
        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("Matplotlib is not installed, so nothing is drawn: pip install matplotlib")
        return
    figure, panels = plt.subplots(2, 1, figsize=(7.5, 12), layout="constrained")
    for ax, which in zip(panels, ("validation", "test"), strict=True):
        points = {
            method: (x["cost, runs"], max(LEAST, x[f"{which} 90 %, %"]))
            for method, x in found.items()
            if not method.startswith(SEARCHES[1:])
        }
        line = sorted(at for method, at in points.items() if method.startswith(SEARCHES[0]))
        ax.plot(*zip(*line, strict=True), "o-", color="C0", lw=2)
        for method in (x for x in points if not x.startswith(SEARCHES[0])):
            color = "C0" if method.startswith(OURS) else "0.45"
            ax.plot(*points[method], "s", color=color, markersize=4)
        ax.set(xscale="log", yscale="log", xlim=(0.4, 75), ylim=(0.5, 150))
        ax.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
        ax.set_xticks([], minor=True)
        ax.set_yticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
        ax.set(xlabel="cost, in training runs", title=f"regret on {which} data")
        ax.set(ylabel="90th percentile over problems and seeds, %")
        ax.spines[["top", "right"]].set_visible(False)
        figure.draw_without_rendering()
        place_labels(ax, points, line)
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


def place_labels(
    ax: Any, points: dict[str, tuple[float, float]], line: list[tuple[float, float]]
) -> None:
    """Write the name of each point where it covers no other name, point or line."""
    pixels = {name: ax.transData.transform(at) for name, at in points.items()}
    ends = ax.transData.transform(line)
    dots = [
        a + (b - a) * part for a, b in itertools.pairwise(ends) for part in np.linspace(0, 1, 40)
    ]
    taken = [np.array([*(at - 4), *(at + 4)]) for at in [*pixels.values(), *dots]]
    for name, at in sorted(pixels.items(), key=lambda item: -item[1][1]):
        text = ax.annotate(
            label_of(name),
            points[name],
            (12, 0),
            textcoords="offset pixels",
            va="center",
            fontsize=8,
            color="C0" if name.startswith(OURS) else "black",
            arrowprops={"arrowstyle": "-", "color": "0.75", "shrinkA": 0, "shrinkB": 2},
        )
        width, height = text.get_window_extent().size
        for up, side in itertools.product(sorted(range(-120, 121, 4), key=abs), (12, -12)):
            left = at[0] + (side if side > 0 else side - width)
            box = np.array([left, at[1] + up - height / 2, left + width, at[1] + up + height / 2])
            others = np.stack(taken)
            is_free = (box[:2] > others[:, 2:]) | (box[2:] < others[:, :2])
            if ax.bbox.x0 < left and left + width < ax.bbox.x1 and is_free.any(1).all():
                text.set(position=(side, up), ha="left" if side > 0 else "right")
                taken.append(box)
                break


def label_of(method: str) -> str:
    """Return the name of a method in a table: `lo.fit(budget=3)` for the recipe, 3."""
    budget = method.removeprefix(f"{SEARCHES[0]}, ")
    return method if budget == method else f"lo.fit(budget={budget})"


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


def _columns(figure: Figure, which: str) -> list[str]:
    keys = [f"{which} {name}, %" for name in STATISTICS]
    return [f"{words(key, figure[key]) if key in figure else '-':>6}" for key in keys]


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
