"""Plots of a search: losses over learning rates, the arms over the steps, their schedules."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..._core.extras import new_axes
from ...training.reporting.plots import COLORS, DASHES, MARKERS
from ..population.curve import Evaluation
from .comparisons import constant_arms, diverged, evaluations_of, subset_loss
from .explanation import ArmRecord, Explanation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST = 2
"""The fewest arms of a line."""

STAR: Any = {"marker": "*", "ms": 14, "mfc": "gold", "mec": "k", "ls": "", "zorder": 5}


def draw_search(e: Explanation) -> list["Axes"]:
    """Draw all plots on a new figure: the optimizers, the race, and the learning rates below it."""
    figure: Any = new_axes().get_figure()
    figure.clear()
    figure.set_size_inches(10, 10)
    optimizers = [x for x in e.optimizers if _rungs(e, x)] or [*e.optimizers[:1]]
    rows: Any = [[f"losses {optimizer}" for optimizer in optimizers]]
    rows += [["race"] * len(optimizers), ["learning rate"] * len(optimizers)]
    axes = figure.subplot_mosaic(rows, height_ratios=[3, 3, 1.5])
    for optimizer in optimizers:
        draw_optimizer(e, optimizer, axes[f"losses {optimizer}"])
    _draw_both(e, axes["race"], axes["learning rate"])
    return list(axes.values())


def draw_run(e: Explanation, figure: "Figure") -> list["Axes"]:
    """Draw the race, and the learning rates below it."""
    above, below = figure.subplots(2, 1, height_ratios=[2.5, 1])
    _draw_both(e, above, below)
    return [above, below]


def draw_optimizer(e: Explanation, optimizer: str, ax: "Axes") -> "Axes":
    """Draw the averaged validation loss over the learning rate, one line per rung.

    Crosses at the top are arms that diverged or ended worse than the start.
    """
    arms = constant_arms(e, optimizer)
    crosses = np.array([arm.rate for arm in arms if diverged(arm)])
    lines, none = [], np.zeros(0)
    for i, step in enumerate(_rungs(e, optimizer)):
        found = {arm.rate: x for arm in arms if (x := _at(arm, step))}
        losses = e.subset_start + np.array([[x.averaged] for x in found.values()])
        early = any(np.isnan(x.raw) for x in found.values())
        name = f"step {step}{', subset' if early else ''}"
        lines.append(RateLine(name, np.array(list(found)), losses, crosses if i == 0 else none))
    own = e.winner is not None and e.winner.optimizer == optimizer
    selected = (e.winner.rate, subset_loss(e)) if own and e.winner else None
    draw_rates(lines, ax, selected=selected, start=e.subset_start, ylabel=_loss_label(e))
    ax.set_xlabel(f"learning rate τ of {optimizer}")
    return ax


def draw_race(e: Explanation, ax: "Axes") -> "Axes":
    """Draw the averaged validation loss of all arms over the steps, and the winner's raw one."""
    top = ax.get_xaxis_transform()
    for arm in e.arms[::-1]:
        first = arm.decay[0] if arm.decay else 0
        found = [x for x in evaluations_of(e, arm) if x.step >= first]
        steps, losses = [x.step for x in found], [e.subset_start + x.averaged for x in found]
        if arm != e.winner:
            ax.plot(steps, losses, **_faint(e, arm), marker=".", ms=3)
        if diverged(arm):
            end = arm.failed[0] if arm.failed else arm.steps
            ax.plot([end], [0.97], "x", ms=5, color=_color(e, arm), transform=top)
    for optimizer in e.optimizers:  # one label per optimizer
        arms = [arm for arm in e.arms if arm.optimizer == optimizer]
        if arms:
            ax.plot([], [], **_faint(e, arms[0]), label=optimizer)
    if any(diverged(arm) for arm in e.arms):
        ax.plot([], [], "x", ms=5, color="0.3", label="diverged")
    if e.winner is not None:
        _draw_winner(e, e.winner, ax)
    early = [x.step for arm in e.arms for x in arm.evaluations if np.isnan(x.raw)]
    if early:  # these losses compare arms, not steps
        ax.axvspan(1, 1.1 * max(early), color="0.94", zorder=0, label="evaluated on a subset")
    ax.axhline(e.subset_start, color="0.5", ls=":", lw=1, label="start")
    ax.set(xscale="log", xlabel="step", ylabel=_loss_label(e))
    losses = [e.subset_start + x.averaged for arm in e.arms for x in arm.evaluations]
    clip(ax, np.array([*losses, subset_loss(e)]), e.subset_start)
    legend_above(ax)
    return ax


def draw_rate(e: Explanation, ax: "Axes") -> "Axes":
    """Draw the learning rates of all arms, as far as each ran; the winner's line is thick."""
    for arm in e.arms:
        first, steps = arm.decay[0] if arm.decay else 1, max(1, arm.steps)
        style = {"color": "k", "lw": 2.2, "zorder": 4} if arm == e.winner else _faint(e, arm)
        at = np.unique(np.geomspace(first, max(steps, first), 50))
        left = 1 - (at - arm.decay[0]) / (arm.decay[1] - arm.decay[0]) if arm.decay else 1.0
        rates = arm.rate * left * np.ones(len(at))
        ax.plot(at, np.where(rates > 0, rates, np.nan), **style)
        if arm.decay and arm == e.winner:
            ax.plot([1, first], [arm.rate] * 2, **style)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="learning rate τ")
    return ax


def _draw_both(e: Explanation, above: "Axes", below: "Axes") -> None:
    below.sharex(above)
    draw_race(e, above)
    draw_rate(e, below)
    above.set_xlabel("")


def _draw_winner(e: Explanation, winner: ArmRecord, ax: "Axes") -> None:
    found = evaluations_of(e, winner)
    late = [x for x in found if not np.isnan(x.raw)]
    averaged = [e.subset_start + x.averaged for x in found]
    raw = [e.subset_start + x.raw for x in late]
    black: dict[str, Any] = {"color": "k", "zorder": 4}
    ax.plot([x.step for x in found], averaged, **black, lw=2.2, label="selected, averaged")
    ax.plot([x.step for x in late], raw, **black, lw=1, ls="--", label="selected, raw")
    ax.plot(e.step, subset_loss(e), **STAR, label="returned")


def _loss_label(e: Explanation) -> str:
    if e.subset_rows == e.rows:
        return "validation loss"
    return f"loss on {e.subset_rows} validation examples"


def _rungs(e: Explanation, optimizer: str) -> list[int]:
    """Return at most five of the steps at which arms ended and several were evaluated."""
    arms = constant_arms(e, optimizer)
    ends = sorted({arm.steps for arm in arms})
    rungs = [step for step in ends if sum(_at(arm, step) is not None for arm in arms) >= LEAST]
    shown = np.linspace(0, len(rungs) - 1, min(5, len(rungs))).astype(int)
    return [rungs[i] for i in shown]


def _at(arm: ArmRecord, step: int) -> Evaluation | None:
    return next((x for x in arm.evaluations if x.step == step), None)


def _color(e: Explanation, arm: ArmRecord) -> str:
    return COLORS[e.optimizers.index(arm.optimizer) % 7]


def _faint(e: Explanation, arm: ArmRecord) -> dict[str, Any]:
    dash = DASHES[e.optimizers.index(arm.optimizer) % 7]
    return {"color": _color(e, arm), "ls": dash, "lw": 1, "alpha": 0.55}


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
    ax.set(xscale="log", xlabel="learning rate τ", ylabel=ylabel)
    star = [] if selected is None else [selected[1]]
    clip(ax, np.concatenate([*(line.losses[:, 0] for line in lines), star]), start)
    legend_above(ax)
    return ax


def legend_above(ax: "Axes") -> None:
    """Put the legend above the axes, where it hides nothing."""
    names = len(ax.get_legend_handles_labels()[1])
    options: dict[str, Any] = {"frameon": False, "fontsize": "small", "borderaxespad": 0.2}
    options |= {"columnspacing": 1.2, "handlelength": 1.8}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, names), **options)


def clip(ax: "Axes", losses: np.ndarray, start: float | None) -> None:
    """Limit the axis to the losses up to a little above the start, with space for the crosses."""
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
