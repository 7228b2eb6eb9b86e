"""Draw the ratios of a benchmark, each with the range of its rounds."""

from collections.abc import Mapping
from pathlib import Path

from .measured import Figure

LEAST = 3
"""Fewer ratios need no picture."""


def draw(figures: Mapping[str, Figure], file: Path) -> None:
    """Draw a line for each ratio; left of 1 this library takes less."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    rows = {name: one for name, one in figures.items() if one.get("ratio", 0.0) > 0}
    if len(rows) < LEAST:
        return
    figure, ax = plt.subplots(figsize=(8, 0.9 + 0.24 * len(rows)), layout="constrained")
    for at, one in enumerate(rows.values()):
        color = "C0" if one["high"] < 1 else "C3" if one["low"] > 1 else "0.4"
        ax.plot([one["low"], one["high"]], [at, at], "-", color=color)
        ax.plot(one["ratio"], at, "o", color=color)
    ax.axvline(1.0, color="0.7", lw=0.8, zorder=0)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=8)
    ax.set(xscale="log", ylim=(len(rows) - 0.5, -0.5))
    ax.set(xlabel="ours / theirs: median and range of the rounds")
    low, high = ax.get_xlim()
    ticks = [x for x in (0.01, 0.1, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10) if low <= x <= high]
    ax.set_xticks(ticks, [f"{x:g}" for x in ticks])
    ax.set_xticks([], minor=True)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)
    plt.close(figure)
