"""What may looks at held-out rows cost, and what do they say?

All numbers are differences from the start, over the same rows: a constant added to the loss
changes nothing, and two arms are compared on what both were asked.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from ...training._cached import cached
from ...training._trees import n_rows
from ...training.loop.evaluation import BATCH_ROWS, evaluate
from ...training.problem import Problem
from .. import constants as c

ENDS = 4
"""How often all rows are asked whatever else is: at the start, and for the error of the pick."""

HUGE = 1e30
"""A loss beyond this has exploded, though float32 still holds it."""


class Plan(NamedTuple):
    """How the looks' share of the compute is spent.

    - `early`, `late`: rows at an early look (the average only), and at a late one (both).
    - `every`: the part of T between evaluations; `recheck`: how many of the lowest looks are compared
      on all rows at the end, because `late` are not all of them.
    - `share`: rows that all looks together may ask.
    """

    early: int
    late: int
    every: float
    recheck: int
    share: float


def plan_of(rows: int, steps: int, batch: int, budget: float) -> Plan:
    """The most frequent looks at the most rows that the share pays for."""
    share = c.EVALUATION_SHARE * budget * steps * batch / c.FORWARD  # in rows
    ways = max(0.5 * share, share - ENDS * rows)  # what is left for looks on the way
    least, most = c.EARLY_ROWS
    early = min(rows, max(least, min(most, 0.3 * ways / (14 * min(1.0, budget) + 1))))
    every = next(
        (x for x in c.EVALUATIONS if _late_evaluations(x, budget) * rows <= 0.7 * ways),
        c.EVALUATIONS[-1],
    )
    evaluations, late, recheck = _late_evaluations(every, budget), rows, 0
    if evaluations * rows > 0.7 * ways and rows > least:
        recheck = int(max(1, min(4, 0.15 * ways / rows)))
        late = int(min(rows, max(least, (0.7 * ways - recheck * rows) / evaluations)))
    return Plan(int(min(early, late)), late, every, recheck, share)


def _late_evaluations(every: float, budget: float) -> float:
    """About how many evaluations of all rows a search makes."""
    return 2 * (3 + budget * (4 + 0.5 / every))


class HeldOut:
    """The held-out rows of a problem, and what has been asked of them.

    **Attributes**

    - `start`: the loss of the start, over the early, the late and all rows.
    - `spread`: how far rows are from their mean loss at the start, in the mean: the unit in which
      a change is small, whatever constant or factor the loss has. (Not the standard deviation,
      which a few rare rows decide.)
    - `asked`: the rows that were evaluated.
    """

    def __init__(
        self, examples: Callable[..., Any], data: Any, plan: Plan, params: Any, state: Any
    ):
        self.examples, self.plan, self.asked = examples, plan, 0
        order = np.random.default_rng(0).permutation(n_rows(data))
        self.all = jax.tree.map(jax.numpy.asarray, data)
        self.late = self.all if plan.late == n_rows(data) else _rows(data, order[: plan.late])
        self.early = self.late if plan.early == plan.late else _rows(data, order[: plan.early])
        self.start = self._at_start(params, state)
        self.first = self._by_row(params, state)
        self.spread = _size(self.first - np.mean(self.first)) if self.first is not None else 0.0

    def change(self, params: Any, model_state: Any, rows: str) -> float:
        """How far the loss is from the start's; infinite where it is not a number."""
        value = self._loss(params, model_state, self._sets()[rows])
        return value - self.start[rows] if abs(value) < HUGE else np.inf

    def has_room(self, evaluations: int = 1) -> bool:
        """Whether looks that could be left out are within the share, and the last ones after."""
        kept = (ENDS - 1 + self.plan.recheck) * n_rows(self.all)
        return self.asked + 2 * evaluations * self.plan.late + kept <= self.plan.share

    def movement(self, params: Any, model_state: Any) -> float:
        """By how much the losses of the early rows changed, up or down, in the mean."""
        now = self._by_row(params, model_state) if self.first is not None else None
        return _size(now - self.first) if now is not None else 0.0

    def losses(self, params: Any, model_state: Any) -> np.ndarray | None:
        """The loss of every held-out row, in float64; None where it is no mean over rows."""
        self.asked += n_rows(self.all)
        return losses_of(self.examples, params, model_state, self.all)

    def _at_start(self, params: Any, model_state: Any) -> dict[str, float]:
        """The loss over each set of rows; the same rows are asked once."""
        sets = self._sets()
        different = {id(data): data for data in sets.values()}
        known = {i: self._loss(params, model_state, data) for i, data in different.items()}
        return {name: known[id(data)] for name, data in sets.items()}

    def _loss(self, params: Any, model_state: Any, data: Any) -> float:
        self.asked += n_rows(data)
        return evaluate(self.examples, params, model_state, data)["loss"]

    def _sets(self) -> dict[str, Any]:
        return {"early": self.early, "late": self.late, "all": self.all}

    def _by_row(self, params: Any, model_state: Any) -> np.ndarray | None:
        self.asked += n_rows(self.early)
        found = losses_of(self.examples, params, model_state, self.early)
        return found if found is not None and np.isfinite(found).all() else None


def losses_of(
    examples: Callable[..., Any], params: Any, model_state: Any, data: Any
) -> np.ndarray | None:
    """The loss of every row. A mean is asked row by row, and believed if it is their mean."""
    parts = []
    for first in range(0, n_rows(data), BATCH_ROWS):
        part = jax.tree.map(lambda x, first=first: x[first : first + BATCH_ROWS], data)
        try:
            whole, rows = jax.device_get(_both(examples)(params, model_state, part))
        except (TypeError, ValueError):  # a loss that takes no row alone, though it takes many
            return None
        if np.ndim(whole) == 0 and not np.isclose(np.mean(rows), whole, rtol=1e-3, atol=1e-6):
            return None
        parts.append(_by_row(whole if np.ndim(whole) else rows))
    return np.concatenate(parts)


def _size(x: np.ndarray) -> float:
    return float(np.mean(np.abs(x)))


@cached
def _both(examples: Callable[..., Any]) -> Callable[..., Any]:
    """(The losses as they are, and of every row by itself where they are a mean.)"""

    def both(params, model_state, data):
        def one(row):
            alone = jax.tree.map(lambda x: x[None], row)
            return examples(params, model_state, alone)["loss"]

        whole = examples(params, model_state, data)["loss"]
        return whole, jax.vmap(one)(data) if not jax.numpy.ndim(whole) else None

    return jax.jit(both)


def _by_row(losses: np.ndarray) -> np.ndarray:
    return np.asarray(losses, np.float64).reshape(len(losses), -1).mean(1)


def _rows(data: Any, chosen: np.ndarray) -> Any:
    return jax.tree.map(lambda x: jax.numpy.asarray(np.asarray(x)[chosen]), data)


def holdout_split(problem: Problem, seed: int = 0) -> Problem:
    """The problem with a fifth of its training rows as held-out rows, where it has none.

    Which rows is a pure function of `seed`. With a single row that row is both.
    """
    if problem.valid is not None:
        return problem
    rows = rows_of(problem.train)
    back = max(1, round(c.HELD_BACK * rows))
    order = np.random.default_rng([seed, rows]).permutation(rows)
    kept = order[back:] if back < rows else order
    return dataclasses.replace(
        problem, train=_take(problem.train, kept), valid=_take(problem.train, order[:back])
    )


def rows_of(data: Any) -> int:
    """How many rows data have, which must be arrays."""
    leaves = jax.tree.leaves(data)
    if not leaves or not all(np.ndim(x) for x in leaves):
        raise TypeError(
            f"the recipe needs training data as arrays, rows first, got {type(data).__name__}: all "
            "arms see the same rows in the same order. Load a part of an iterable into arrays."
        )
    rows = {int(np.shape(x)[0]) for x in leaves}
    if len(rows) != 1 or 0 in rows:
        raise ValueError(f"all arrays must have the same number of rows, >= 1, got {sorted(rows)}.")
    return rows.pop()


def _take(data: Any, chosen: np.ndarray) -> Any:
    return jax.tree.map(lambda x: np.asarray(x)[np.sort(chosen)], data)
