"""Plots of a search: the loss over the learning rate, and the race of the arms.

Lines are labelled where they begin or end. All losses are of all validation examples, or estimates
of them (`comparisons.loss_on_all`).
"""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..._core.extras import new_axes, require
from ...training.reporting.plots import COLORS, DASHES, MARKERS
from ..population.curve import Evaluation
from ..search.aim import drift, vertex
from .comparisons import constant_arms, diverged, evaluations_of, loss_on_all
from .explanation import ArmRecord, Explanation
from .labels import SIZE, Label, width_of, write_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST, MOST = 3, 5
"""The fewest learning rates of a level, and the most levels of a plot."""

STAR: Any = {"marker": "*", "ms": 15, "mfc": "#E69F00", "mec": "k", "ls": "", "zorder": 5}
RED = COLORS[1]


class Level(NamedTuple):
    """A step at which several constant learning rates were evaluated, and their losses.

    - `best_rate`: the best learning rate, between those that were tried.
    - `aim`: the best one at the end of a run, as the search predicted it; NaN where it did not.
    """

    step: int
    rates: np.ndarray
    losses: np.ndarray
    best_rate: float
    aim: float


def levels_of(e: Explanation, optimizer: str) -> list[Level]:
    """Return the steps at which at least `LEAST` learning rates were compared; at most `MOST`.

    Those at which the search aimed come first.
    """
    found: dict[int, dict[float, Evaluation]] = {}
    for arm in constant_arms(e, optimizer):
        for x in evaluations_of(e, arm):
            if math.isfinite(x.averaged):
                found.setdefault(x.step, {})[arm.rate] = x
    steps = sorted(step for step, level in found.items() if len(level) >= LEAST)
    aims = {aim.step: aim.rate for aim in e.aims if aim.optimizer == optimizer}
    shown = {step for step in steps if step in aims}
    later = [step for step in steps if step > max(aims, default=0)]
    wanted = np.geomspace(later[0], later[-1], MOST - len(shown)) if later else []
    shown |= {min(later, key=lambda step: abs(np.log(step / x))) for x in wanted}
    return [_level(e, step, found[step], aims.get(step)) for step in sorted(shown)]


def _level(e: Explanation, step: int, found: dict[float, Evaluation], aim: float | None) -> Level:
    losses = np.array([loss_on_all(e, x, x.averaged) for x in found.values()])
    rates = np.array(list(found))
    if aim is not None:
        best = aim * 10 ** (drift(step / e.steps) / 4)
        return Level(step, rates, losses, best, aim)
    quarters = [round(4 * math.log10(rate)) for rate in found]
    best = 10 ** (vertex(dict(zip(quarters, (-losses).tolist(), strict=True))) / 4)
    return Level(step, rates, losses, best, np.nan)


def draw_search(e: Explanation) -> list["Axes"]:
    """Draw all plots on a new figure: the levels of each optimizer, and the race."""
    pyplot = require("matplotlib.pyplot", extra="plot", what="plots")
    optimizers = drawn_optimizers(e)
    rows = len(optimizers) + 1
    axes = new_rows(pyplot.figure(figsize=(10, 5 * rows), layout="none"), rows)
    for optimizer, ax in zip(optimizers, axes, strict=False):
        draw_levels(e, optimizer, ax)
    draw_race(e, axes[-1])
    return axes


def drawn_optimizers(e: Explanation) -> list[str]:
    """Return the optimizers that were compared at a level, the selected one first; at least one."""
    own = e.winner.optimizer if e.winner else e.optimizers[0]
    return [own, *(x for x in e.optimizers if x != own and levels_of(e, x))]


def new_rows(figure: "Figure", rows: int) -> list["Axes"]:
    """Return axes in rows. Their places are fixed: labels are placed before anything is drawn."""
    width, height = 72 * figure.get_size_inches()
    bottom, top, gap = 42, 26, 68
    each = (height - bottom - top - gap * (rows - 1)) / rows
    places: dict[str, float] = {"left": 54 / width, "right": 1 - 8 / width, "hspace": gap / each}
    figure.subplots_adjust(bottom=bottom / height, top=1 - top / height, **places)
    return list(figure.subplots(rows, 1, squeeze=False)[:, 0])


def draw_levels(e: Explanation, optimizer: str, ax: "Axes") -> "Axes":
    """Draw the loss over the learning rate, a line for each level, and the aim.

    Triangles mark the best learning rate of each level; the aim is where they are predicted to be
    at the end. Crosses are arms that diverged.
    """
    arms, levels, color = constant_arms(e, optimizer), levels_of(e, optimizer), _color(e, optimizer)
    names = [_level_name(e, level, ax) for level in levels]
    rates = [arm.rate for arm in arms] or [1.0]
    limit_losses(ax, _losses(e), e.start)
    limit_logarithmic(ax, rates, left=max(map(width_of, names), default=20), right=20)
    labels = [_draw_start(e, ax)]
    for i, (level, name) in enumerate(zip(levels, names, strict=True)):
        style: dict[str, Any] = {"color": color, "alpha": 0.35 + 0.65 * (i + 1) / len(levels)}
        ax.plot(level.rates, level.losses, "o-", ms=3.5, lw=1.6, label=name, **style)
        labels.append(Label(level.rates[0], level.losses[0], name, color, side=(-1, 0)))
    _draw_aim(e, levels, color, ax)
    _draw_divergence(arms, ax)
    if e.winner and e.winner.optimizer == optimizer:
        ax.plot(e.winner.rate, e.loss, label="selected", **STAR)
        text = f"selected {e.winner.rate:.3g}: {e.loss:.4g}"
        labels.append(Label(e.winner.rate, e.loss, text, side=(0, -1), gap=9, is_selected=True))
    ax.set_xlabel(f"learning rate of {optimizer}", size=SIZE, parse_math=False)
    write_labels(ax, labels)
    return ax


def _level_name(e: Explanation, level: Level, ax: "Axes") -> str:
    percent = f"{100 * level.step / e.steps:.3g} %"
    return percent if is_narrow(ax) else f"{percent}, step {level.step:,}"


def _draw_aim(e: Explanation, levels: Sequence[Level], color: str, ax: "Axes") -> None:
    """Draw how the best learning rate moves from level to level, and where it is to end."""
    best = [level.best_rate for level in levels]
    losses = [_on_line(level, x, ax.get_yscale()) for x, level in zip(best, levels, strict=True)]
    ax.plot(best, losses, "v:", color=color, ms=8, mec="w", lw=1, zorder=4)
    aims = [level.aim for level in levels if math.isfinite(level.aim)]
    if not aims:
        return
    aim = aims[-1]
    ax.axvline(aim, color="k", ls="--", lw=1, label="aim")
    text = f"aim {aim:.2g}{'' if is_narrow(ax) else ', predicted to be the best at the end'}"
    across = ax.transAxes.inverted().transform(ax.transData.transform((aim, e.start)))[0]
    side = "left" if across < 0.25 else "right" if across > 0.75 else "center"
    ax.text(aim, 1.02, text, size=SIZE, ha=side, transform=ax.get_xaxis_transform())


def _on_line(level: Level, rate: float, scale: str) -> float:
    """Return the loss at a learning rate on the line of a level, as it is drawn."""
    losses = np.log(level.losses) if scale == "log" else level.losses
    found = float(np.interp(np.log(rate), np.log(level.rates), losses))
    return math.exp(found) if scale == "log" else found


def _draw_divergence(arms: Sequence[ArmRecord], ax: "Axes") -> None:
    """Mark the arms that diverged, and shade the learning rates above all others."""
    bad = [arm.rate for arm in arms if diverged(arm)]
    good = [arm.rate for arm in arms if not diverged(arm)]
    style: dict[str, Any] = {"color": RED, "transform": ax.get_xaxis_transform()}
    ax.plot(bad, [0.96] * len(bad), "x", ms=6, **style)
    above = [rate for rate in bad if rate > max(good, default=0)]
    if above:
        left, right = ax.get_xlim()
        left = math.sqrt(max(good) * above[0]) if good else left
        ax.axvspan(left, right, color=RED, alpha=0.12, lw=0, label="diverged")
        style |= {"size": SIZE, "rotation": 90, "ha": "right", "va": "bottom"}
        ax.text(right, 0.03, "diverged ", **style)


def _draw_start(e: Explanation, ax: "Axes") -> Label:
    ax.axhline(e.start, color="0.5", ls=":", lw=1)
    return Label(ax.get_xlim()[0], e.start, f"start {e.start:.4g}", "0.5", side=(1, 1), gap=3)


class ArmCurve(NamedTuple):
    """The losses of the averaged weights of an arm; those before index `exact` are estimates.

    Where the raw weights were selected, those of the winner are of raw weights, from `exact` on.
    """

    arm: ArmRecord
    steps: list[int]
    losses: list[float]
    exact: int


def curves_of(e: Explanation) -> list[ArmCurve]:
    """Return a curve for each optimizer, learning rate and decay; that of the winner is the last.

    A branch with a decay begins at its first step, that of the winner at the start.
    """
    arms = {arm[:3]: arm for arm in sorted(e.arms, key=lambda arm: arm.steps)}
    own = arms.pop(e.winner[:3]) if e.winner else None
    curves = [_curve(e, arm, arm == own) for arm in [*arms.values(), *([own] if own else [])]]
    return [curve for curve in curves if curve.steps]


def _curve(e: Explanation, arm: ArmRecord, is_own: bool) -> ArmCurve:
    begin = arm.decay[0] if arm.decay and not is_own else 0
    found = [x for x in evaluations_of(e, arm) if x.step >= begin and math.isfinite(x.averaged)]
    exact = sum(np.isnan(x.raw) for x in found)  # early evaluations come first
    is_raw = is_own and not e.is_average
    changes = [x.raw if is_raw and math.isfinite(x.raw) else x.averaged for x in found]
    losses = [loss_on_all(e, x, change) for x, change in zip(found, changes, strict=True)]
    return ArmCurve(arm, [x.step for x in found], losses, exact)


def draw_race(e: Explanation, ax: "Axes") -> "Axes":
    """Draw the loss of all arms over the steps, each labelled by its learning rate where it ends.

    Losses that are estimated from a part of the examples are fainter.
    """
    curves = curves_of(e)
    names = _names(curves)
    limit_losses(ax, _losses(e), e.start)
    steps = [e.steps, *(step for curve in curves for step in curve.steps)]
    limit_logarithmic(ax, steps, left=8, right=max(map(width_of, names), default=0) + 10)
    top, labels = ax.get_ylim()[1], [_draw_start(e, ax)]
    for curve, name in zip(curves, names, strict=True):
        arm, is_own = curve.arm, e.winner is not None and curve.arm[:3] == e.winner[:3]
        color = "k" if is_own else RED if diverged(arm) else _color(e, arm.optimizer)
        style: dict[str, Any] = {"color": color, "lw": 2.4 if is_own else 1.2, "ms": 4}
        style |= {"marker": "" if is_own else ".", "zorder": 4 if is_own else 2}
        exact = curve.exact
        ax.plot(curve.steps[: exact + 1], curve.losses[: exact + 1], alpha=0.45, **style)
        ax.plot(curve.steps[exact:], curve.losses[exact:], label=name, **style)
        end = min(curve.losses[-1], top)
        if diverged(arm):
            ax.plot(curve.steps[-1], end, "x", color=color, ms=6, clip_on=False)
        gap = 10 if is_own else 5
        labels.append(Label(curve.steps[-1], end, name, color, gap=gap, is_selected=is_own))
    if e.winner:
        ax.plot(e.step, e.loss, label="selected", **STAR)
    ax.set_xlabel("step", size=SIZE)
    write_labels(ax, labels)
    return ax


def _names(curves: Sequence[ArmCurve]) -> list[str]:
    """Return a label for each curve; the best one of each optimizer also names the optimizer."""

    def lowest(curve: ArmCurve) -> float:
        return min(curve.losses[curve.exact :], default=math.inf)  # estimates do not compare

    best = {curve.arm.optimizer: curve for curve in sorted(curves, key=lowest, reverse=True)}
    is_named = len(best) > 1
    return [
        f"{curve.arm.optimizer + ' ' if is_named and best[curve.arm.optimizer] is curve else ''}"
        f"{curve.arm.rate:.3g}{', decay' if curve.arm.decay else ''}"
        for curve in curves
    ]


def is_narrow(ax: "Axes") -> bool:
    return bool(_width(ax) < 400)


def _width(ax: "Axes") -> float:
    """Return the width of axes in points."""
    return ax.get_window_extent().width * 72 / ax.figure.dpi


def _color(e: Explanation, optimizer: str) -> str:
    return (COLORS[0], *COLORS[2:6])[e.optimizers.index(optimizer) % 5]


def _losses(e: Explanation) -> list[float]:
    """Return the losses that all plots of a search show, so that their axes are the same."""
    return [e.loss, *(loss_on_all(e, x, x.averaged) for arm in e.arms for x in arm.evaluations)]


def limit_logarithmic(ax: "Axes", values: Sequence[float], *, left: float, right: float) -> None:
    """Let a logarithmic axis reach from the least to the largest value, and further by points."""
    low, high = min(values), max(values)
    ratio = max(high / low, 2.0) ** (1 / max(1.0, _width(ax) - left - right))
    ax.set_xscale("log")
    ax.set_xlim(low * ratio**-left, high * ratio**right)
    _plain_ticks(ax.xaxis, low, high)


def limit_losses(ax: "Axes", losses: Iterable[float], start: float | None) -> None:
    """Limit the axis to the losses up to the start; it is logarithmic where all are positive."""
    shown = [x for x in losses if math.isfinite(x) and (start is None or x <= start)]
    shown += [] if start is None else [start]
    if not shown:
        return
    low, high = min(shown), max(shown)
    if low > 0:
        ax.set_yscale("log")
        ratio = max(high / low, 1.2)
        ax.set_ylim(low * ratio**-0.15, high * ratio**0.2)
        _plain_ticks(ax.yaxis, *ax.get_ylim())
    else:
        room = (high - low) or abs(high) or 1.0
        ax.set_ylim(low - 0.15 * room, high + 0.2 * room)
    ax.set_ylabel("validation loss", size=SIZE)
    ax.spines[["top", "right"]].set_visible(False)


def _plain_ticks(axis: Any, low: float, high: float) -> None:
    """Label a logarithmic axis by plain numbers between two values."""
    ticker = require("matplotlib.ticker", extra="plot", what="plots")
    ticks = ticks_of(low, high)
    axis.set_major_locator(ticker.FixedLocator(ticks))
    axis.set_major_formatter(ticker.FixedFormatter([f"{x:g}" for x in ticks]))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_tick_params(labelsize=SIZE - 0.5)


def ticks_of(low: float, high: float) -> list[float]:
    """Return three to nine round numbers between two positive ones, or the one that both are."""
    if low == high:
        return [low]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, math.ceil((last - first) / 6))
    for decades, factors in (
        (range(first, last + 1, every), (1,)),
        (range(first, last + 1), (1, 2, 5)),
        (range(first, last + 1), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)),
    ):
        ticks = [float(f"{x}e{i}") for i in decades for x in factors]
        shown = [x for x in ticks if low <= x <= high]
        if len(shown) >= 3:
            return shown
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [float(f"{step * i:.12g}") for i in numbers]


class RateLine(NamedTuple):
    """A line of losses over learning rates.

    - `losses`: one column of means; or three, of the means, their minimum and their maximum.
    - `diverged`: the learning rates at which a run diverged.
    """

    name: str
    rates: np.ndarray
    losses: np.ndarray
    diverged: np.ndarray


def draw_rates(
    lines: Sequence[RateLine],
    ax: Any = None,
    *,
    selected: tuple[float, float] | None = None,
    start: float | None = None,
    ylabel: str = "validation loss",
) -> "Axes":
    """Draw the lines, the selected point as a star, and crosses at the top where runs diverged.

    Losses above the start are outside the plot.
    """
    ax = new_axes() if ax is None else ax
    for i, line in enumerate(lines):
        losses = np.where(np.isfinite(line.losses), line.losses, np.nan)
        style: dict[str, Any] = {"color": COLORS[i % 7], "ls": DASHES[i % 7], "lw": 1.2}
        marks: dict[str, Any] = {"marker": MARKERS[i % 7], "ms": 4, "mfc": "white"}
        ax.plot(line.rates, losses[:, 0], **style, **marks, label=line.name)
        if losses.shape[1] == 3:
            low, high = losses[:, 1:].T
            ax.fill_between(line.rates, low, high, color=style["color"], alpha=0.15)
        if len(line.diverged):
            label = None if "diverged" in ax.get_legend_handles_labels()[1] else "diverged"
            heights = np.full(len(line.diverged), 0.98 - 0.03 * (i % 7))  # one height per line
            cross: dict[str, Any] = {"color": style["color"], "ms": 5, "label": label}
            ax.plot(line.diverged, heights, "x", **cross, transform=ax.get_xaxis_transform())
    if start is not None:
        ax.axhline(start, color="0.5", ls=":", lw=1, label="start")
    if selected is not None:
        ax.plot(*selected, **STAR, label="selected")
    ax.set(xscale="log", xlabel="learning rate τ")
    star = [] if selected is None else [selected[1]]
    limit_losses(ax, [*(x for line in lines for x in line.losses[:, 0]), *star], start)
    ax.set_ylabel(ylabel)
    legend_above(ax)
    return ax


def legend_above(ax: "Axes") -> None:
    """Put the legend above the axes, where it hides nothing."""
    names = len(ax.get_legend_handles_labels()[1])
    options: dict[str, Any] = {"frameon": False, "fontsize": "small", "borderaxespad": 0.2}
    options |= {"columnspacing": 1.2, "handlelength": 1.8}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, names), **options)
