"""The validation set of a search: how often and on which examples arms are evaluated.

All losses are differences from the start over the same examples: a constant added to the loss
changes nothing, and two arms are compared on examples that both were evaluated on.
"""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from ...training._cached import cached
from ...training._trees import n_rows, take_rows
from ...training.checks.arguments import check_seed
from ...training.checks.data import check_weights
from ...training.compiled.sharding import place_like
from ...training.conversion.arrays import as_arrays
from ...training.conversion.batches import is_pair, pair_as_arrays
from ...training.loop.evaluation import BATCH_ROWS, evaluate
from ...training.problem import Problem
from .. import constants as c

ENDS = 2
"""The evaluations of all examples that always happen: of the start and of the selected weights."""

DIVERGED = 1e30
"""A run with a loss beyond this has diverged, though float32 can still hold it."""


class EvaluationPlan(NamedTuple):
    """The examples and the steps of the evaluations.

    - `early`, `late`: the examples of an early evaluation (of the average only) and of a late one
      (of raw and averaged weights).
    - `every`: the fraction of a run between evaluations.
    - `recheck`: how many arms are compared on all examples at the end, where `late` are a part.
    - `own`: the steps of evaluations that you ask for.
    """

    early: int
    late: int
    every: float
    recheck: int
    own: tuple[int, ...] = ()


def plan_evaluations(rows: int, steps: int, batch: int, budget: float) -> EvaluationPlan:
    """Return the most frequent evaluations of all examples within their share of the compute.

    Where even rare ones cost more, as with tiny batches, the share doubles; where that does not do,
    evaluations use a part of the examples, and the best arms are compared on all at the end.
    """
    share = c.EVALUATION_SHARE * budget * steps * batch / c.FORWARD  # in examples
    least, most = c.EARLY_ROWS
    early = int(min(rows, max(least, min(most, 0.3 * share / c.EARLY_EVALUATIONS))))
    first = ENDS * rows + _early_evaluations(budget) * early

    def cost(every: float) -> float:
        return first + _late_evaluations(every, budget) * rows

    rarest = c.EVALUATIONS[-1]
    every = next((x for x in c.EVALUATIONS if cost(x) <= share), rarest)
    if cost(every) <= 2 * share:
        return EvaluationPlan(early, rows, every, 0)
    rest = 2 * share - first
    recheck = min(c.RECHECKS[1], max(c.RECHECKS[0], int(rest / 2 / rows)))
    room, often = 2 * share - (ENDS + recheck) * rows, _late_evaluations(rarest, budget)
    early = int(min(early, max(least, room / (_early_evaluations(budget) + often))))
    late = int(min(rows, max(early, (room - _early_evaluations(budget) * early) / often)))
    return EvaluationPlan(early, late, rarest, recheck if late < rows else 0)


def _early_evaluations(budget: float) -> int:
    """Return about how often a search evaluates an average on the early examples."""
    return c.EARLY_EVALUATIONS * _optimizers(budget)


def _late_evaluations(every: float, budget: float) -> float:
    """Return about how often a search evaluates weights, raw or averaged, on the late examples.

    As counted in searches: at the last level, and along three quarters of the budget.
    """
    return 2 * (4 * _optimizers(budget) + 0.75 * budget / every)


def _optimizers(budget: float) -> int:
    return 2 if budget >= c.SECOND_FROM else 1


class HeldOut:
    """The validation set of a problem, and how much of it has been evaluated.

    **Attributes**

    - `start`: the loss of the start, over the early, the late and all examples.
    - `first`: the loss of every example at the start; None where the loss is not their mean.
    - `rows_evaluated`: how many examples were evaluated at the start and at the end; the curves
      have those of the arms.
    """

    def __init__(
        self, examples: Callable[..., Any], data: Any, plan: EvaluationPlan, params: Any, state: Any
    ):
        self.examples, self.plan, self.rows_evaluated = examples, plan, 0
        count = n_rows(data)
        order = np.random.default_rng(0).permutation(count)
        chosen = {name: order[:n] for name, n in (("early", plan.early), ("late", plan.late))}
        self.all = data
        self._sets = {
            **{k: data if len(x) == count else pick_rows(data, x) for k, x in chosen.items()},
            "all": data,
        }
        self.first = self.losses(params, state)
        if self.first is None:
            self.start = {k: self._loss(params, state, x) for k, x in self._sets.items()}
            self.rows_evaluated += sum(map(n_rows, self._sets.values()))
        else:
            means = {name: self.first[rows].mean() for name, rows in chosen.items()}
            self.start = {name: float(x) for name, x in {**means, "all": self.first.mean()}.items()}
        self._early = None if self.first is None else self.first[chosen["early"]]

    def placed_on(self, device: Any) -> "HeldOut":
        """Return this validation set with all arrays on a device."""
        other = copy.copy(self)
        other.all, other._sets = jax.device_put((self.all, self._sets), device)
        return other

    def loss_change(self, params: Any, model_state: Any, examples: str) -> float:
        """Return the loss minus that of the start; infinite where it diverged."""
        return self._change(self._loss(params, model_state, self._sets[examples]), examples)

    def early_change(self, params: Any, model_state: Any) -> tuple[float, float]:
        """Return the change of the loss over the early examples, and the movement of examples.

        The movement is the mean absolute change of the losses of single examples.
        """
        if self._early is None:
            return self.loss_change(params, model_state, "early"), np.nan
        now = per_example_losses(self.examples, params, model_state, self._sets["early"])
        if now is None or not np.isfinite(now).all():
            return np.inf, np.nan
        return self._change(float(now.mean()), "early"), float(np.mean(np.abs(now - self._early)))

    def change_on_all(self, params: Any, model_state: Any) -> tuple[float, np.ndarray | None]:
        """Return the change of the loss over all examples, and the loss of every example."""
        losses = None if self.first is None else self.losses(params, model_state)
        if losses is None:
            self.rows_evaluated += n_rows(self.all)
            return self.loss_change(params, model_state, "all"), None
        return self._change(float(losses.mean()), "all"), losses

    def losses(self, params: Any, model_state: Any) -> np.ndarray | None:
        """Return the loss of every example, in float64; None where the loss is not their mean."""
        self.rows_evaluated += n_rows(self.all)
        return per_example_losses(self.examples, params, model_state, self.all)

    def _loss(self, params: Any, model_state: Any, data: Any) -> float:
        return evaluate(self.examples, params, model_state, data)["loss"]

    def _change(self, loss: float, examples: str) -> float:
        return loss - self.start[examples] if abs(loss) < DIVERGED else np.inf


def losses_of(examples: Callable[..., Any], params: Any, model_state: Any, data: Any) -> np.ndarray:
    """Return the loss of every example, or the one loss where it is not their mean."""
    losses = per_example_losses(examples, params, model_state, data)
    if losses is None:
        losses = np.array([evaluate(examples, params, model_state, data)["loss"]])
    return np.where(np.abs(losses) < DIVERGED, losses, np.inf)


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


def holdout_split(data: Any, seed: int = 0, *, sample_weight: Any = None) -> Any:
    """Hold out a fifth of the training examples as a validation set.

    Which examples is a pure function of `seed`. A single example is used for both.

    **Arguments**

    - `data`: (x, y), or a `Problem`. One that has a validation set is returned as it is.
    - `sample_weight`: one number per example. Examples of weight 0 are not held out.

    **Returns** `(train, valid)`, two pairs of arrays; or the problem with both. With
    `sample_weight`, also the weights of the training examples.

    ```python
    >>> import numpy as np, lecture_optax as lo
    >>> (x, y), (xv, yv) = lo.recipe.holdout_split((np.ones((10, 2)), np.arange(10)))
    >>> x.shape, yv
    ((8, 2), array([1, 4]))

    ```
    """
    check_seed(seed=seed)
    weights = as_arrays(sample_weight, "sample_weight")
    if isinstance(data, Problem):
        problem, weights = split_problem(data, weights, seed)
        return problem if weights is None else (problem, weights)
    if not is_pair(data):
        raise TypeError(
            "data must be (x, y), as lo.fit takes them, or a training.Problem, got "
            f"{type(data).__name__}."
        )
    train, valid, weights = _split(pair_as_arrays(data), weights, seed)
    return (train, valid) if weights is None else (train, valid, weights)


def split_problem(problem: Problem, weights: Any, seed: int = 0) -> tuple[Problem, Any]:
    """Return a problem with a validation set, and the weights of its training examples or None."""
    if problem.valid is not None:
        return problem, weights
    train, valid, weights = _split(problem.train, weights, seed)
    return dataclasses.replace(problem, train=train, valid=valid), weights


def _split(data: Any, weights: Any, seed: int) -> tuple[Any, Any, Any]:
    rows = _checked_rows(data)
    if weights is not None:
        check_weights(weights, rows)
    trained, held_out = held_out_rows(rows, seed, weights)
    arrays = jax.tree.map(np.asarray, data)
    one, other = (place_like(take_rows(arrays, x), data) for x in (trained, held_out))
    return one, other, None if weights is None else pick_rows(weights, trained)


def held_out_rows(rows: int, seed: int, weights: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are trained on, and which are held out: none whose weight is 0."""
    order = np.random.default_rng([seed, rows]).permutation(rows)
    order, counted = weighted_first(order, weights)
    count = max(1, round(c.HOLDOUT_SHARE * counted))
    return np.sort(order[count:] if count < rows else order), np.sort(order[:count])


def weighted_first(order: np.ndarray, weights: Any) -> tuple[np.ndarray, int]:
    """Return rows in their order, those of weight 0 at the end, and the number of the others."""
    if weights is None:
        return order, len(order)
    counts = np.any(np.reshape(np.asarray(weights), (len(order), -1)), axis=1)[order]
    return np.concatenate([order[counts], order[~counts]]), int(np.sum(counts))


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
