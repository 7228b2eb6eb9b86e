"""What does a search look like? Losses over rates, and over steps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._core.extras import new_axes
from ..training.reporting.plots import COLORS, DASHES, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class RateLine(NamedTuple):
    """A line of losses over rates.

    - `losses`: a column of means; or three, of means and of the ends of their range.
    - `exploded`: the rates at which a run did.
    """

    name: str
    rates: np.ndarray
    losses: np.ndarray
    exploded: np.ndarray


def draw_rates(
    lines: Sequence[RateLine],
    ax: Any = None,
    *,
    chosen: tuple[float, float] | None = None,
    start: float | None = None,
    ylabel: str = "held-out loss",
) -> "Axes":
    """A line for each, the chosen point as a star, crosses above where runs exploded.

    Losses above the start are outside the picture: what matters is below.
    """
    ax = new_axes() if ax is None else ax
    for i, line in enumerate(lines):
        _draw_line(ax, line, i)
    if start is not None:
        ax.axhline(start, color="0.5", ls=":", lw=1, label="start")
    if chosen is not None:
        ax.plot(*chosen, "*", ms=14, mfc="gold", mec="k", ls="", label="chosen", zorder=5)
    ax.set(xscale="log", xlabel="learning rate τ", ylabel=ylabel)
    star = [] if chosen is None else [chosen[1]]
    clip(ax, np.concatenate([*(line.losses[:, 0] for line in lines), star]), start)
    outside(ax)
    return ax


def _draw_line(ax: "Axes", line: RateLine, i: int) -> None:
    losses = np.where(np.isfinite(line.losses), line.losses, np.nan)
    look: dict[str, Any] = {"color": COLORS[i % 7], "ls": DASHES[i % 7], "lw": 1.2}
    marks: dict[str, Any] = {"marker": MARKERS[i % 7], "ms": 4, "mfc": "white"}
    ax.plot(line.rates, losses[:, 0], **look, **marks, label=line.name)
    if losses.shape[1] == 3:
        ax.fill_between(line.rates, losses[:, 1], losses[:, 2], color=look["color"], alpha=0.15)
    height = 0.98 - 0.03 * (i % 7)  # in parts of the axes, a row for each line
    ax.plot(
        line.exploded,
        np.full(len(line.exploded), height),
        ls="",
        marker="x",
        ms=5,
        color=look["color"],
        label="exploded" if len(line.exploded) and not _has(ax, "exploded") else None,
        transform=ax.get_xaxis_transform(),
    )


def _has(ax: "Axes", label: str) -> bool:
    return label in ax.get_legend_handles_labels()[1]


def outside(ax: "Axes") -> None:
    """The legend above the picture, where it hides nothing."""
    names = len(ax.get_legend_handles_labels()[1])
    options: dict[str, Any] = {"frameon": False, "fontsize": "small", "borderaxespad": 0.2}
    options |= {"columnspacing": 1.2, "handlelength": 1.8}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, names), **options)


def clip(ax: "Axes", losses: np.ndarray, start: float | None) -> None:
    """From the lowest loss to a little above the start, with room for crosses."""
    shown = losses[np.isfinite(losses)]
    if start is not None:
        shown = np.append(shown[shown <= start], start)
    if not len(shown):
        return
    low, high = float(shown.min()), float(shown.max())
    if low > 0 and high > 3 * low:
        ax.set_yscale("log")
        ax.set_ylim(low * (high / low) ** -0.06, high * (high / low) ** 0.2)
    elif high > low:
        ax.set_ylim(low - 0.06 * (high - low), high + 0.2 * (high - low))
