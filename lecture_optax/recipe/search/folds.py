"""Cross-validation of the last arms, where one validation set is too small to select.

The best arm and the one half a decade below it train once for each fold, on all examples but those
of the fold: constant learning rates to the middle, then with a decay to 0. Which of them, how many
steps, and whether the averaged weights: the lowest loss over all folds decides, with a
one-standard-error rule. The selection then trains on all examples, training and validation ones.

    search          2 arms × K folds          refit
    |---------------|-------------------------|--------|
    what is left    2 K runs                  one run
"""

import numbers
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ...training._trees import n_rows
from .. import constants as c
from ..population.arms import REFIT, Arm
from ..population.folds import Folds
from .explore import Rounds
from .journal import Journal
from .keep import ANY, Keep


class FoldPlan(NamedTuple):
    """The number of folds, the gradients of the search before them, and what they may select."""

    count: int
    limit: int
    keep: Keep = ANY


class Choice(NamedTuple):
    """An arm that was cross-validated, to a step, with its raw or averaged weights.

    `changes`: of the loss since the start, of the examples of all folds.
    """

    arm: Arm
    step: int
    is_average: bool
    changes: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.changes.mean())


class Rival(NamedTuple):
    """Another learning rate that was cross-validated, at its best step.

    - `loss`: over all folds; `difference`: from that of the selected one; `error`: its standard
      error, paired by example.
    """

    arm: Arm
    loss: float
    difference: float
    error: float


class CrossValidation(NamedTuple):
    """What was cross-validated, and with which result.

    - `arm`, `step`, `is_average`: what was selected.
    - `folds`, `rows`: the number of folds, and of the examples that were held out once; `all_rows`:
      of all, which the selected arm was trained on in the end.
    - `start`, `loss`: the mean loss over these examples before and after training on the others;
      `error`: the standard error of `loss`, `gain_error`: that of the difference.
    - `rivals`: the other learning rates.
    """

    arm: Arm
    step: int
    is_average: bool
    folds: int
    rows: int
    all_rows: int
    start: float
    loss: float
    error: float
    gain_error: float
    rivals: tuple[Rival, ...]


def cross_validation_of(found: Choice, j: Journal, plan: FoldPlan, folds: Folds) -> CrossValidation:
    """Return the figures of a choice."""
    losses, rivals = folds.start + found.changes, {}
    for x in sorted(choices(j, plan), key=lambda x: x.mean):
        if x.arm[:2] != found.arm[:2]:
            differences = x.changes - found.changes
            own = float((folds.start + x.changes).mean()), float(differences.mean())
            rivals.setdefault(x.arm[:2], Rival(x.arm, *own, standard_error(differences)))
    return CrossValidation(
        found.arm,
        found.step,
        found.is_average,
        folds.count,
        folds.rows,
        n_rows(folds.data),
        float(folds.start.mean()),
        float(losses.mean()),
        standard_error(losses),
        standard_error(found.changes),
        tuple(rivals.values()),
    )


def check_folds(folds: int | None) -> None:
    """Check the argument `folds`."""
    is_whole = isinstance(folds, numbers.Integral) and not isinstance(folds, bool)
    if folds is not None and (not is_whole or folds < 0 or folds == 1):
        raise ValueError(f"folds must be None, 0 for none, or at least 2, got {folds!r}.")


def plan_folds(
    asked: int | None,
    is_few: bool,
    rows: int,
    batch_size: int,
    steps: int,
    limit: int,
    keep: Keep = ANY,
) -> FoldPlan | None:
    """Return how many folds the budget pays for, or None.

    - `asked`: the number of folds that you ask for; None where the search decides.
    - `is_few`: whether the search held out validation data itself, and they are few; `rows`: of all
      examples; `batch_size`: the examples of an update; `limit`: the gradients of all.

    **Raises** `ValueError` for folds that the budget does not pay for, or with fewer examples to
    train on than a batch has.
    """
    if asked == 0 or (asked is None and not is_few):
        return None
    left = limit / steps - c.FOLD_SEARCH - 1
    most = min(int(left / c.FOLD_ARMS + 1e-6), rows, c.MOST_FOLDS)
    if asked is None:
        if most < 2 or rows - rows // most < batch_size:
            return None
        asked = most
    least = c.FOLD_SEARCH + c.FOLD_ARMS * asked + 1
    if limit < least * steps:
        raise ValueError(
            f"folds={asked} needs budget >= {least:g}, got budget={limit / steps:g}: "
            f"{c.FOLD_SEARCH:g} for the search, {c.FOLD_ARMS} runs a fold, and one on all "
            "examples. Give a larger budget, or folds=0."
        )
    if rows < asked or rows - rows // asked < batch_size:
        raise ValueError(
            f"folds={asked} of {rows} examples leave {rows - rows // asked} to train on, and a "
            f"batch has {batch_size}: give more folds, or a smaller batch_size."
        )
    return FoldPlan(asked, limit - round((c.FOLD_ARMS * asked + 1) * steps), keep)


def cross_validate(j: Journal, plan: FoldPlan, limit: int) -> Rounds:
    """Ask for the arms of every fold, and for the selected one on all examples."""
    j.phase, j.limit, j.promised = "folds", limit, None
    arms = _finalists(j)
    folds = [arm._replace(fold=fold) for arm in arms for fold in range(plan.count)]
    yield from _to(j, folds, j.steps)
    found = choose(j, plan)
    if found is not None and found.mean < 0:
        j.phase = "refit"
        yield from _to(j, [found.arm._replace(fold=REFIT)], found.step)


def choose(j: Journal, plan: FoldPlan) -> Choice | None:
    """Return what the folds select, or None where no arm reached a mark in all of them."""
    every = choices(j, plan)
    return one_standard_error(every) if every else None


def choices(j: Journal, plan: FoldPlan) -> list[Choice]:
    """Return every arm at every mark that it reached in all folds, with the weights to keep."""
    every = [x for arm in j.arms if arm.fold == 0 for x in _choices(j, arm, plan)]
    last = max((x.step for x in every), default=0) if plan.keep.last else 0
    return [x for x in every if x.step >= last]


def one_standard_error(choices: Sequence[Choice]) -> Choice:
    """Return the smallest learning rate whose loss is at most a standard error above the lowest.

    Of each learning rate, raw and averaged, the best step counts. Errors are of differences that
    are paired by example. The same optimizer only: the rates of two are not comparable. Of the same
    learning rate, averaged weights are preferred.
    """
    lowest = min(choices, key=lambda x: x.mean)
    own = [x for x in choices if x.arm.optimizer == lowest.arm.optimizer]
    best: dict[tuple[int, bool], Choice] = {}
    for x in sorted(own, key=lambda x: x.mean):
        best.setdefault((x.arm.quarter_decades, not x.is_average), x)
    ties = {key: x for key, x in best.items() if _is_tie(x, lowest)}
    return ties[min(ties)]


def _is_tie(x: Choice, lowest: Choice) -> bool:
    differences = x.changes - lowest.changes
    return bool(differences.mean() <= standard_error(differences))


def standard_error(x: np.ndarray) -> float:
    return float(np.std(x, ddof=1) / np.sqrt(len(x))) if len(x) > 1 else float("nan")


def _finalists(j: Journal) -> list[Arm]:
    """Return the best arm, and the one half a decade below it."""
    best = min(j.arms, key=j.best_loss)._replace(decay=None)
    return [best, best.shifted(-c.HALF)] if np.isfinite(j.best_loss(best)) else []


def _choices(j: Journal, first: Arm, plan: FoldPlan) -> Iterable[Choice]:
    folds = [first._replace(fold=fold) for fold in range(plan.count)]
    found = [{x.step: x.losses for x in j.arms[arm].evaluations} for arm in folds if arm in j.arms]
    for step in found[0]:
        losses = [changes for x in found if (changes := x.get(step)) is not None]
        if len(losses) == plan.count:
            for is_average in plan.keep.kinds:
                changes = np.concatenate([x[is_average] for x in losses])
                if np.isfinite(changes).all():
                    yield Choice(first._replace(fold=None), step, is_average, changes)


def _to(j: Journal, arms: Iterable[Arm], end: int) -> Rounds:
    """Ask for arms with constant learning rates to the middle, then with a decay, to a step."""
    middle = j.at(c.DECAYS[0])
    arms = [arm for arm in arms if j.is_finite(arm)]
    constant = [arm._replace(decay=None) for arm in arms]
    if constant:
        yield [j.ask(arm, min(middle, end)) for arm in constant]
    decays = [arm._replace(decay=(middle, j.steps)) for arm in constant if j.is_finite(arm)]
    if end > middle and decays:
        yield [j.ask(arm, end) for arm in decays]
