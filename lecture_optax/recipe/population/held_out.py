"""The validation set of a search: how often and on which examples arms are evaluated.

All losses are differences from the start over the same examples: a constant added to the loss
changes nothing, and two arms are compared on examples that both were evaluated on.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from ...training._cached import cached
from ...training._trees import n_rows, take_rows
from ...training.checks.arguments import check_seed
from ...training.compiled.sharding import place_like
from ...training.conversion.batches import is_pair, pair_as_arrays
from ...training.loop.evaluation import BATCH_ROWS, evaluate
from ...training.problem import Problem
from .. import constants as c

ENDS = 4
"""The evaluations of all examples that always happen: at the start, and for the standard error."""

DIVERGED = 1e30
"""A run with a loss beyond this has diverged, though float32 can still hold it."""


class EvaluationPlan(NamedTuple):
    """The examples and the steps of the evaluations, within their share of the compute.

    - `early`, `late`: the examples of an early evaluation (of the average only) and of a late one
      (of raw and averaged weights).
    - `every`: the fraction of a run between evaluations.
    - `recheck`: how many of the lowest evaluations are compared on all examples at the end, where
      `late` are not all of them.
    - `share`: the examples that all evaluations together may use.
    """

    early: int
    late: int
    every: float
    recheck: int
    share: float


def plan_evaluations(rows: int, steps: int, batch: int, budget: float) -> EvaluationPlan:
    """Return the most frequent evaluations of the most examples that their share pays for."""
    share = c.EVALUATION_SHARE * budget * steps * batch / c.FORWARD  # in rows
    rest = max(0.5 * share, share - ENDS * rows)  # what is left for evaluations on the way
    least, most = c.EARLY_ROWS
    early = min(rows, max(least, min(most, 0.3 * rest / (14 * min(1.0, budget) + 1))))
    every = next(
        (x for x in c.EVALUATIONS if _late_evaluations(x, budget) * rows <= 0.7 * rest),
        c.EVALUATIONS[-1],
    )
    evaluations, late, recheck = _late_evaluations(every, budget), rows, 0
    if evaluations * rows > 0.7 * rest and rows > least:
        recheck = int(max(1, min(4, 0.15 * rest / rows)))
        late = int(min(rows, max(least, (0.7 * rest - recheck * rows) / evaluations)))
    return EvaluationPlan(int(min(early, late)), late, every, recheck, share)


def _late_evaluations(every: float, budget: float) -> float:
    """Return about how many evaluations of all examples a search makes."""
    return 2 * (3 + budget * (4 + 0.5 / every))


class HeldOut:
    """The validation set of a problem, and how much of it has been evaluated.

    **Attributes**

    - `start`: the loss of the start, over the early, the late and all examples.
    - `spread`: the mean absolute deviation of the examples' losses at the start: the unit in which
      a change is small, whatever constant or factor the loss has. (A few rare examples would
      decide the standard deviation.)
    - `rows_evaluated`: how many examples were evaluated so far.
    """

    def __init__(
        self, examples: Callable[..., Any], data: Any, plan: EvaluationPlan, params: Any, state: Any
    ):
        self.examples, self.plan, self.rows_evaluated = examples, plan, 0
        order = np.random.default_rng(0).permutation(n_rows(data))
        self.all = data
        self.late = self.all if plan.late == n_rows(data) else pick_rows(data, order[: plan.late])
        self.early = self.late if plan.early == plan.late else pick_rows(data, order[: plan.early])
        self._sets = {"early": self.early, "late": self.late, "all": self.all}
        different = {id(data): data for data in self._sets.values()}
        known = {i: self._loss(params, state, data) for i, data in different.items()}
        self.start = {name: known[id(data)] for name, data in self._sets.items()}
        self.first = self._early_losses(params, state)
        self.spread = _mean_abs(self.first - np.mean(self.first)) if self.first is not None else 0.0

    def loss_change(self, params: Any, model_state: Any, rows: str) -> float:
        """Return the loss minus that of the start; infinite where it diverged."""
        value = self._loss(params, model_state, self._sets[rows])
        return value - self.start[rows] if abs(value) < DIVERGED else np.inf

    def within_budget(self, evaluations: int = 1) -> bool:
        """Return whether optional evaluations leave enough of the share for the last ones."""
        last = (ENDS - 1 + self.plan.recheck) * n_rows(self.all)
        return self.rows_evaluated + 2 * evaluations * self.plan.late + last <= self.plan.share

    def mean_abs_change(self, params: Any, model_state: Any) -> float:
        """Return the mean absolute change of the early examples' losses since the start."""
        now = self._early_losses(params, model_state) if self.first is not None else None
        return _mean_abs(now - self.first) if now is not None else 0.0

    def losses(self, params: Any, model_state: Any) -> np.ndarray | None:
        """Return the loss of every example, in float64; None where the loss is not their mean."""
        return self._losses(params, model_state, self.all)

    def _loss(self, params: Any, model_state: Any, data: Any) -> float:
        self.rows_evaluated += n_rows(data)
        return evaluate(self.examples, params, model_state, data)["loss"]

    def _losses(self, params: Any, model_state: Any, data: Any) -> np.ndarray | None:
        self.rows_evaluated += n_rows(data)
        return per_example_losses(self.examples, params, model_state, data)

    def _early_losses(self, params: Any, model_state: Any) -> np.ndarray | None:
        found = self._losses(params, model_state, self.early)
        return found if found is not None and np.isfinite(found).all() else None


def per_example_losses(
    examples: Callable[..., Any], params: Any, model_state: Any, data: Any
) -> np.ndarray | None:
    """Return the loss of every example; None where the loss is not their mean.

    A loss that returns a mean is called with one example at a time.
    """
    parts = []
    for first in range(0, n_rows(data), BATCH_ROWS):
        part = jax.tree.map(lambda x, first=first: x[first : first + BATCH_ROWS], data)
        try:
            whole, rows = jax.device_get(_whole_and_each(examples)(params, model_state, part))
        except (TypeError, ValueError):  # a loss that takes many examples but not one
            return None
        if np.ndim(whole) == 0 and not np.isclose(np.mean(rows), whole, rtol=1e-3, atol=1e-6):
            return None
        losses = np.asarray(whole if np.ndim(whole) else rows, np.float64)
        parts.append(losses.reshape(len(losses), -1).mean(1))
    return np.concatenate(parts)


def _mean_abs(x: np.ndarray) -> float:
    return float(np.mean(np.abs(x)))


@cached
def _whole_and_each(examples: Callable[..., Any]) -> Callable[..., Any]:
    """Compile the loss as it is, and of each example where it is a mean."""

    def both(params, model_state, data):
        def one(row):
            alone = jax.tree.map(lambda x: x[None], row)
            return examples(params, model_state, alone)["loss"]

        whole = examples(params, model_state, data)["loss"]
        return whole, jax.vmap(one)(data) if not jax.numpy.ndim(whole) else None

    return jax.jit(both)


def pick_rows(data: Any, chosen: np.ndarray) -> Any:
    """Return chosen rows of data as JAX's arrays, on the same devices."""
    rows = jax.tree.map(lambda x: jax.numpy.asarray(np.asarray(x)[chosen]), data)
    return place_like(rows, data)


def holdout_split(data: Any, seed: int = 0) -> Any:
    """Hold out a fifth of the training examples as a validation set.

    Which examples is a pure function of `seed`. A single example is used for both.

    **Arguments**

    - `data`: (x, y), or a `Problem`. One that has a validation set is returned as it is.

    **Returns** `(train, valid)`, two pairs of arrays; or the problem with both.

    ```python
    >>> import numpy as np, lecture_optax as lo
    >>> (x, y), (xv, yv) = lo.recipe.holdout_split((np.ones((10, 2)), np.arange(10)))
    >>> x.shape, yv
    ((8, 2), array([0, 4]))

    ```
    """
    check_seed(seed=seed)
    if isinstance(data, Problem):
        if data.valid is not None:
            return data
        train, valid = _split(data.train, seed)
        return dataclasses.replace(data, train=train, valid=valid)
    if not is_pair(data):
        raise TypeError(
            "data must be (x, y), as lo.fit takes them, or a training.Problem, got "
            f"{type(data).__name__}."
        )
    return _split(pair_as_arrays(data), seed)


def _split(data: Any, seed: int) -> tuple[Any, Any]:
    rows = _checked_rows(data)
    count = max(1, round(c.HOLDOUT_SHARE * rows))
    order = np.random.default_rng([seed, rows]).permutation(rows)
    arrays = jax.tree.map(np.asarray, data)
    train = np.sort(order[count:] if count < rows else order)
    valid = np.sort(order[:count])
    one, other = (place_like(take_rows(arrays, rows), data) for rows in (train, valid))
    return one, other


def _checked_rows(data: Any) -> int:
    """Return the number of rows of data, which must be arrays."""
    leaves = jax.tree.leaves(data)
    if not leaves or not all(np.ndim(x) for x in leaves):
        raise TypeError(
            f"the recipe needs training data as arrays, rows first, got {type(data).__name__}: all "
            "arms see the same minibatches. Load a part of an iterable into arrays."
        )
    rows = {int(np.shape(x)[0]) for x in leaves}
    if len(rows) != 1 or 0 in rows:
        raise ValueError(f"all arrays must have the same number of rows, >= 1, got {sorted(rows)}.")
    return rows.pop()
