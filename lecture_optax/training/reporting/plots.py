"""Plots of a run: losses, learning rate and update/weight ratios."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._core import validate
from ..._core.extras import require
from ..loop.run import History, columns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito's palette, for any colour vision; dashes and markers differ in grey too."""

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))
MARKERS = "osD^vPX"
POINTS = 200
"""The most points of a line: each is a mean of neighbouring steps."""


def plot(history: History, ax: Any = None, figure: Any = None) -> Any:
    """Draw losses, learning rate and update/weight ratios of a run: see `Result.plot`.

    `figure`: an empty figure to draw on. The ratios are not drawn for a search, which does not
    record them; the learning rate neither where there is none.
    """
    if ax is not None and not isinstance(ax, np.ndarray | Sequence):
        validate.axes(ax=ax)
        ax.set_xlabel("step")
        return draw_losses(history, ax)
    given = list(np.ravel(ax) if isinstance(ax, np.ndarray) else ax or ())
    if ax is not None and len(given) != 3:
        raise ValueError(f"ax must be one axes, or three, got {len(given)} of them.")
    for i, each in enumerate(given):
        validate.axes(**{f"ax[{i}]": each})
    panels = 3 if len(history) else 2 if history.means else 1
    axes = np.array(given) if given else _new_axes(figure, panels)
    for draw, each in zip((draw_losses, draw_rate, draw_ratios)[:panels], axes, strict=False):
        draw(history, each)
    axes[-1].set_xlabel("step")
    return axes


def draw_losses(history: History, ax: "Axes", label: str = "", style: int = 0) -> "Axes":
    """Draw the training loss as a line, and the validation loss as a line with markers."""
    color, dash, marker = COLORS[style % 7], DASHES[style % 7], MARKERS[style % 7]
    steps, losses = _training_losses(history)
    evaluations = columns_of(history.evaluations)
    line: dict[str, Any] = {"color": color, "ls": dash, "lw": 1.2}
    if not len(losses):
        pass
    elif label and "valid_loss" in evaluations:  # several runs: one label each, on validation data
        ax.plot(steps, losses, **line, alpha=0.4)
    else:
        ax.plot(steps, losses, **line, label=label or "training")
    if "valid_loss" in evaluations:
        line |= {"marker": marker, "ms": 4, "mfc": "white", "label": label or "validation"}
        line |= {} if label else {"color": COLORS[1]}
        ax.plot(evaluations["step"], evaluations["valid_loss"], **line)
    if "averaged_loss" in evaluations and not label:
        averaged = evaluations["averaged_loss"]
        ax.plot(evaluations["step"], averaged, "k:", marker="x", ms=5, label="averaged θ")
    shown = [y for line in ax.lines for y in np.asarray(line.get_ydata(), float)]
    if shown and np.nanmin(shown) > 0:
        ax.set_yscale("log")
    ax.set(ylabel="loss")
    ax.margins(x=0.01)
    if shown:
        ax.legend(frameon=False)
    return ax


def draw_rate(history: History, ax: "Axes", style: int = 0) -> "Axes":
    """Draw the learning rate of each step."""
    rates = history.per_step.get("learning_rate", np.zeros(0))
    steps = np.arange(1, len(rates) + 1)
    if history.means:
        steps, rates = history.means["step"], history.means["learning_rate"]
    line: Mapping[str, Any] = {"color": COLORS[style % 7], "ls": DASHES[style % 7], "lw": 1.2}
    ax.plot(steps, rates, **line)
    ax.set(ylabel="learning rate τ")
    ax.autoscale()  # again: several runs may share the axes
    ax.set_ylim(bottom=0)
    ax.margins(x=0.01)
    if not len(rates):
        words = "no learning rate in the optimizer's state"
        ax.text(0.5, 0.5, words, ha="center", transform=ax.transAxes)
    return ax


def draw_ratios(history: History, ax: "Axes") -> "Axes":
    """Draw the size of each step relative to the parameters, and its range over leaves."""
    ratios = history.per_step.get("update_ratio", np.zeros(0))
    known = np.flatnonzero(np.isfinite(ratios))
    ends, ratios = means(ratios[known])
    steps = known[ends - 1] + 1
    ax.plot(steps, ratios, color=COLORS[0], lw=1.2, label="all parameters")
    if history.ratios and len(history.ratios[0][1]) > 1:
        at = [step for step, _ in history.ratios]
        leaves = np.array([ratios for _, ratios in history.ratios])
        low, high = _positive(leaves.min(1)), leaves.max(1)
        band: Mapping[str, Any] = {"color": COLORS[0], "alpha": 0.2, "lw": 0}
        ax.fill_between(at, low, high, label="range over leaves", **band)
    ax.axhline(1e-3, color="0.5", ls=":", lw=1, label="0.001")
    if len(ratios) and np.nanmax(ratios) > 0:
        ax.set_yscale("log")
    ax.set(ylabel="|Δθ| / |θ|")
    ax.margins(x=0.01)
    is_wide = ax.get_window_extent().width > 5 * ax.figure.dpi
    ax.legend(frameon=False, ncols=3 if is_wide else 1)
    return ax


def _training_losses(history: History) -> tuple[np.ndarray, np.ndarray]:
    if history.means:
        return history.means["step"], history.means["loss"]
    return means(history.per_step.get("loss", np.zeros(0)))


def means(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at most `POINTS` means of neighbours, and the last step of each."""
    edges = np.linspace(0, len(values), min(POINTS, len(values)) + 1).astype(int)
    joined = [np.mean(values[a:b]) for a, b in itertools.pairwise(edges)]
    return edges[1:], np.array(joined)


def _positive(values: np.ndarray) -> np.ndarray:
    """Return NaN for zeros, on a logarithmic axis: a learning rate of 0 moves nothing."""
    return np.where(values > 0, values, np.nan)


def _new_axes(figure: Any, count: int) -> Any:
    if figure is None:
        pyplot = require("matplotlib.pyplot", extra="plot", what="plots")
        figure = pyplot.figure(figsize=(7, 7 if count > 1 else 4), layout="constrained")
    heights = [3, 1, 1.4][:count]
    return figure.subplots(count, 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
