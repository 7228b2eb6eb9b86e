"""The learning curves of a table: its runs, their windows, and where a run failed."""

import math
from typing import NamedTuple

import numpy as np

from ....training.curves.learning_curve import (
    LARGEST,
    FailedStep,
    LearningCurve,
    finite_evaluations,
)
from .columns import Chosen
from .rates import largest_logged, largest_rate
from .table import Table

SPARSE = 0.9
"""Windows are as wide as those that cover .9 of the steps; wider gaps are filled."""

LONGEST = 1e12
"""A larger step is none."""

SKIPPED = 2
"""A gradient that is not finite in fewer rows at the end is a step that mixed precision skips."""


class Part(NamedTuple):
    """The rows of one run: the steps and the values of each role."""

    loss: tuple[np.ndarray, np.ndarray]
    valid_loss: tuple[np.ndarray, np.ndarray]
    rate: tuple[np.ndarray, np.ndarray]
    norms: dict[str, tuple[np.ndarray, np.ndarray]]


def curves_of(table: Table, chosen: Chosen) -> list[LearningCurve]:
    """Return the curves of the runs of a table, in order.

    A step at or below the first one of a run begins a new run. Another smaller step is that of a
    resumed run, whose rows replace those from this step on.
    """
    steps, shift = _steps(table, chosen)
    parts = []
    for begin, end in _runs(table, chosen, steps):
        kept = _kept(steps, begin, end, table.columns[chosen.loss].rows)
        loss, valid, rate, *norms = (
            _series(table, title, steps, kept)
            for title in (chosen.loss, chosen.valid_loss, chosen.rate, *chosen.norms)
        )
        parts.append(Part(loss, valid, rate, dict(zip(chosen.norms, norms, strict=True))))
    return [_curve(part, chosen, shift) for part in parts]


def _steps(table: Table, chosen: Chosen) -> tuple[np.ndarray, int]:
    """Return the step of every row, from 1 on, and how much less the log counts, 0 or 1.

    A row without a step has that of the row before.
    """
    loss = table.columns[chosen.loss]
    steps = np.full(table.rows, np.nan)
    if chosen.step:
        column = table.columns[chosen.step]
        steps[column.rows] = np.round(column.values)
    else:
        steps[loss.rows] = np.arange(1, len(loss.rows) + 1)
    known = np.flatnonzero(~np.isnan(steps))
    before = np.searchsorted(known, np.arange(len(steps)), side="right") - 1
    steps = steps[known[np.maximum(before, 0)]]
    if not (steps.min() >= 0 and steps.max() < LONGEST):
        raise ValueError(
            f"the steps in {chosen.step} must be numbers from 0 to {LONGEST:.0e}, got "
            f"{steps.min():.6g} to {steps.max():.6g}."
        )
    steps = _through_epochs(table, chosen, steps)
    shift = int(len(loss.rows) > 0 and steps[loss.rows].min() == 0)
    return steps + shift, shift


def _through_epochs(table: Table, chosen: Chosen, steps: np.ndarray) -> np.ndarray:
    """Add the steps of the epochs before, where the step starts again in every epoch."""
    title = next((x for x in table.columns if x.lower() == "epoch"), "")
    if not title or title == chosen.step or not len(table.columns[title].rows):
        return steps
    column = table.columns[title]
    if not np.isfinite(column.values).all():
        return steps
    epochs = np.interp(np.arange(len(steps)), column.rows, column.values)
    ups = np.diff(steps)
    starts = np.flatnonzero((ups < 0) & (np.diff(epochs) > 0)) + 1
    if not len(starts):
        return steps
    width = np.median(ups[ups > 0]) if (ups > 0).any() else 1.0
    jumps = np.zeros(len(steps))
    jumps[starts] = steps[starts - 1] + width - steps[starts]
    return steps + np.cumsum(jumps)


def _runs(table: Table, chosen: Chosen, steps: np.ndarray) -> list[tuple[int, int]]:
    """Return the first row of each run and the row after its last one."""
    rows = table.columns[chosen.loss].rows
    begins, first = [0], steps[rows[0]] if len(rows) else 0
    for i in np.flatnonzero(np.diff(steps[rows]) < 0) + 1:
        if steps[rows[i]] <= first:
            begins.append(_first_row(steps, int(rows[i - 1]), int(rows[i])))
            first = steps[rows[i]]
    return list(zip(begins, [*begins[1:], len(steps)], strict=True))


def _first_row(steps: np.ndarray, last: int, row: int) -> int:
    """Return the first row of the run of `row`: an evaluation may come before the first loss."""
    between = np.flatnonzero(np.diff(steps[last : row + 1]) < 0)
    return last + int(between[0]) + 1


def _kept(steps: np.ndarray, begin: int, end: int, losses: np.ndarray) -> np.ndarray:
    """Return the rows of a run without those that a resumed run has replaced."""
    rows = np.arange(begin, end)
    own = losses[(losses >= begin) & (losses < end)]
    falls = own[1:][np.diff(steps[own]) < 0]
    lowest = np.full(len(rows) + 1, np.inf)  # the lowest step at which the run is resumed later
    lowest[falls - begin] = steps[falls]
    lowest = np.minimum.accumulate(lowest[::-1])[::-1]
    return rows[steps[rows] < lowest[1:]]


def _series(
    table: Table, title: str, steps: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if not title:
        return np.zeros(0), np.zeros(0)
    column = table.columns[title]
    mine = np.isin(column.rows, kept)
    at, values = steps[column.rows[mine]], column.values[mine]
    order = np.lexsort((~np.isnan(values), at))  # of several rows of a step, the last with a number
    at, values = at[order], values[order]
    last = np.append(np.diff(at) != 0, True)[: len(at)]
    return at[last], values[last]


def _curve(part: Part, chosen: Chosen, shift: int) -> LearningCurve:
    at, losses = part.loss
    failed = _failed(part)
    good = (np.abs(losses) < LARGEST) & (at < (failed.step if failed else math.inf))
    width, means, before = in_equal_windows(at[good], losses[good])
    seen = finite_evaluations(*part.valid_loss) if len(part.valid_loss[0]) else None
    return LearningCurve(
        means,
        width,
        largest_rate(*part.rate),
        _gradients(part, good, means),
        failed and failed._replace(step=failed.step - shift),
        seen and seen._replace(before=shift),
        unit="epoch" if chosen.in_epochs else "step",
        before=before + shift,
        logged_rate=largest_logged(part.rate[1]),
    )


def _gradients(part: Part, good: np.ndarray, means: np.ndarray) -> np.ndarray | None:
    """Return the norm of the gradient of every window, if each has one."""
    title, (at, norms) = next(iter(part.norms.items()), ("", (np.zeros(0), np.zeros(0))))
    if "grad" not in title.lower() or not np.array_equal(at, part.loss[0]):
        return None
    found = norms[good]
    return found if len(found) == len(means) and np.isfinite(found).all() else None


def _failed(part: Part) -> FailedStep | None:
    """Return the step from which on no loss, or no gradient, is finite.

    A NaN before a finite loss is an empty cell, or a step that the run survived; so is the last
    one in a row that has a finite validation loss instead.
    """
    at, losses = part.loss
    found = []
    bad = _last_bad(losses)
    if bad < len(losses):
        is_empty = (
            np.isnan(losses[bad:]).all() and np.isin(at[bad:], _finite(part.valid_loss)).all()
        )
        if not is_empty:
            found.append(FailedStep(int(at[bad]), "loss"))
    for title, (steps, norms) in part.norms.items():
        bad = _last_bad(norms)
        after = at[np.isfinite(losses)] >= steps[bad] if bad < len(norms) else np.ones(1, bool)
        if len(norms) - bad >= SKIPPED or not after.any():
            found.append(FailedStep(int(steps[bad]), title))
    return min(found, key=lambda x: x.step, default=None)


def _last_bad(values: np.ndarray) -> int:
    """Return the index from which on no value is finite."""
    good = np.flatnonzero(np.abs(values) < LARGEST)
    return int(good[-1]) + 1 if len(good) else 0


def _finite(series: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return series[0][np.isfinite(series[1])]


def in_equal_windows(ends: np.ndarray, losses: np.ndarray) -> tuple[int, np.ndarray, int]:
    """Convert means of windows that end at `ends` to means of equal windows; drop the remainder.

    Returns the width, the means, and b: window i = 0, 1, ... ends at step (i + 1) width - b.
    A first loss before the first full window stays, as it is the start of the run. The first
    window counts as wide as the others at most: the run may have begun in another file.
    """
    if len(ends) < 2:
        return max(1, int(min(ends, default=1))), losses, 0
    widths = np.diff(ends)
    width = _common_width(widths)
    nearly = width - 1 <= widths[0] <= width and ends[0] <= width
    if (widths == width).all() or (nearly and (widths[1:] == width).all()):
        return width, losses, int(len(ends) * width - ends[-1])
    widths = np.append(min(ends[0], width), widths)
    at = np.cumsum(np.append(0, widths))
    sums = np.cumsum(np.append(0.0, widths * losses))
    edges = np.arange(0, at[-1] + 1, width)
    return width, np.diff(np.interp(edges, at, sums)) / width, int(at[-1] - ends[-1])


def rewindowed(curve: LearningCurve, width: int) -> LearningCurve:
    """Return the curve in windows of another, larger width."""
    if width % curve.width == 0:
        return curve.coarser(width)
    sums = np.cumsum(np.append(0.0, curve.losses)) * curve.width
    at = np.arange(len(sums)) * curve.width
    edges = np.arange(0, at[-1] + 1, width)
    means = np.diff(np.interp(edges, at, sums)) / width
    return curve._replace(losses=means, width=width, gradients=None)


def _common_width(widths: np.ndarray) -> int:
    ordered = np.sort(widths)
    covered = np.cumsum(ordered) / ordered.sum()
    return max(1, int(ordered[np.searchsorted(covered, SPARSE)]))
