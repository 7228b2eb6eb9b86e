"""What did a search see? Losses over rates at each rung, the race of the arms, their rates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..._core.extras import new_axes
from ...training.reporting.plots import COLORS, DASHES, MARKERS
from ..population.curve import Evaluation
from .comparisons import constant_arms, diverged, evaluations_of, seen_loss
from .explanation import ArmRecord, Explanation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST = 2
"""So many arms of a family make a line."""

FAINT = 0.55


def draw_search(e: Explanation) -> list["Axes"]:
    """All pictures on a new figure: the families, the race, and the rates below it."""
    figure: Any = new_axes().get_figure()
    figure.clear()
    figure.set_size_inches(10, 10)
    optimizers = [optimizer for optimizer in e.optimizers if _rungs(e, optimizer)] or [
        *e.optimizers[:1]
    ]
    rows: Any = [[f"rates {optimizer}" for optimizer in optimizers]]
    rows += [["race"] * len(optimizers), ["rate"] * len(optimizers)]
    axes = figure.subplot_mosaic(rows, height_ratios=[3, 3, 1.5])
    for optimizer in optimizers:
        draw_optimizer(e, optimizer, axes[f"rates {optimizer}"])
    _draw_both(e, axes["race"], axes["rate"])
    return list(axes.values())


def draw_run(e: Explanation, figure: "Figure") -> list["Axes"]:
    """The race, and the rates below it."""
    above, below = figure.subplots(2, 1, height_ratios=[2.5, 1])
    _draw_both(e, above, below)
    return [above, below]


def draw_optimizer(e: Explanation, optimizer: str, ax: "Axes") -> "Axes":
    """The averaged held-out loss over the rate, a line for each rung.

    Crosses above: the arms that exploded, or were worse than the start when they ended.
    """
    arms = constant_arms(e, optimizer)
    crosses = np.array([arm.rate for arm in arms if diverged(arm)])
    lines, none = [], np.zeros(0)
    for i, step in enumerate(_rungs(e, optimizer)):
        evaluations = {arm.rate: evaluation for arm in arms if (evaluation := _at(arm, step))}
        losses = e.subset_start + np.array(
            [[evaluation.averaged] for evaluation in evaluations.values()]
        )
        early = any(np.isnan(evaluation.raw) for evaluation in evaluations.values())
        name = f"step {step}{', some rows' if early else ''}"
        lines.append(
            RateLine(name, np.array(list(evaluations)), losses, crosses if i == 0 else none)
        )
    own = e.winner is not None and e.winner.optimizer == optimizer
    chosen = (e.winner.rate, seen_loss(e)) if own and e.winner else None
    draw_rates(lines, ax, chosen=chosen, start=e.subset_start, ylabel=_held_out_loss(e))
    ax.set_xlabel(f"learning rate τ of {optimizer}")
    return ax


def draw_race(e: Explanation, ax: "Axes") -> "Axes":
    """The averaged held-out loss of all arms over the steps; the winner's raw and averaged."""
    top = ax.get_xaxis_transform()
    for arm in e.arms[::-1]:
        evaluations = evaluations_of(e, arm)
        if arm.decay:
            evaluations = [
                evaluation for evaluation in evaluations if evaluation.step >= arm.decay[0]
            ]
        steps, losses = (
            [x.step for x in evaluations],
            [e.subset_start + x.averaged for x in evaluations],
        )
        if arm != e.winner:
            ax.plot(steps, losses, **_faint(e, arm), marker=".", ms=3)
        if diverged(arm):
            end = arm.failed[0] if arm.failed else arm.steps
            ax.plot([end], [0.97], "x", ms=5, color=_color(e, arm), transform=top)
    for optimizer in e.optimizers:  # a word for each
        kin = [arm for arm in e.arms if arm.optimizer == optimizer]
        if kin:
            ax.plot([], [], **_faint(e, kin[0]), label=optimizer)
    if any(diverged(arm) for arm in e.arms):
        ax.plot([], [], "x", ms=5, color="0.3", label="exploded")
    if e.winner is not None:
        _draw_winner(e, e.winner, ax)
    early = [x.step for arm in e.arms for x in arm.evaluations if np.isnan(x.raw)]
    if early:  # compares arms, not steps
        ax.axvspan(1, 1.1 * max(early), color="0.94", zorder=0, label="looks at some rows")
    ax.axhline(e.subset_start, color="0.5", ls=":", lw=1, label="start")
    ax.set(xscale="log", xlabel="step", ylabel=_held_out_loss(e))
    losses = [e.subset_start + x.averaged for arm in e.arms for x in arm.evaluations]
    clip(ax, np.array([*losses, seen_loss(e)]), e.subset_start)
    outside(ax)
    return ax


def draw_rate(e: Explanation, ax: "Axes") -> "Axes":
    """The rates of all arms, as far as each of them ran; the winner's is thick."""
    for arm in e.arms:
        first, steps = arm.decay[0] if arm.decay else 1, max(1, arm.steps)
        evaluation = {"color": "k", "lw": 2.2, "zorder": 4} if arm == e.winner else _faint(e, arm)
        at = np.unique(np.geomspace(first, max(steps, first), 50))
        left = 1 - (at - arm.decay[0]) / (arm.decay[1] - arm.decay[0]) if arm.decay else 1.0
        rates = arm.rate * left * np.ones(len(at))
        ax.plot(at, np.where(rates > 0, rates, np.nan), **evaluation)
        if arm.decay and arm == e.winner:
            ax.plot([1, first], [arm.rate] * 2, **evaluation)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="rate τ")
    return ax


def _draw_both(e: Explanation, above: "Axes", below: "Axes") -> None:
    below.sharex(above)
    draw_race(e, above)
    draw_rate(e, below)
    above.set_xlabel("")


def _draw_winner(e: Explanation, winner: ArmRecord, ax: "Axes") -> None:
    evaluations = evaluations_of(e, winner)
    late = [x for x in evaluations if not np.isnan(x.raw)]
    black: dict[str, Any] = {"color": "k", "zorder": 4}
    ax.plot(
        [x.step for x in evaluations],
        [e.subset_start + x.averaged for x in evaluations],
        **black,
        lw=2.2,
        label="chosen, averaged",
    )
    ax.plot(
        [x.step for x in late],
        [e.subset_start + x.raw for x in late],
        **black,
        lw=1,
        ls="--",
        label="chosen, raw",
    )
    star: dict[str, Any] = {"ms": 14, "mfc": "gold", "mec": "k", "ls": "", "zorder": 5}
    ax.plot([e.step], [seen_loss(e)], "*", **star, label="handed over")


def _held_out_loss(e: Explanation) -> str:
    return "held-out loss" if e.subset_rows == e.rows else f"loss on {e.subset_rows} held-out rows"


def _rungs(e: Explanation, optimizer: str) -> list[int]:
    """The steps at which arms ended and several had been looked at; at most five of them."""
    arms = constant_arms(e, optimizer)
    ends = sorted({arm.steps for arm in arms})
    rungs = [step for step in ends if sum(_at(arm, step) is not None for arm in arms) >= LEAST]
    chosen = np.linspace(0, len(rungs) - 1, min(5, len(rungs))).astype(int)
    return [rungs[i] for i in chosen]


def _at(arm: ArmRecord, step: int) -> Evaluation | None:
    return next((evaluation for evaluation in arm.evaluations if evaluation.step == step), None)


def _color(e: Explanation, arm: ArmRecord) -> str:
    return COLORS[e.optimizers.index(arm.optimizer) % 7]


def _faint(e: Explanation, arm: ArmRecord) -> dict[str, Any]:
    dash = DASHES[e.optimizers.index(arm.optimizer) % 7]
    return {"color": _color(e, arm), "ls": dash, "lw": 1, "alpha": FAINT}


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
    evaluation: dict[str, Any] = {"color": COLORS[i % 7], "ls": DASHES[i % 7], "lw": 1.2}
    marks: dict[str, Any] = {"marker": MARKERS[i % 7], "ms": 4, "mfc": "white"}
    ax.plot(line.rates, losses[:, 0], **evaluation, **marks, label=line.name)
    if losses.shape[1] == 3:
        ax.fill_between(
            line.rates, losses[:, 1], losses[:, 2], color=evaluation["color"], alpha=0.15
        )
    height = 0.98 - 0.03 * (i % 7)  # in parts of the axes, a row for each line
    ax.plot(
        line.exploded,
        np.full(len(line.exploded), height),
        ls="",
        marker="x",
        ms=5,
        color=evaluation["color"],
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
