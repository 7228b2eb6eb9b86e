"""Folds: training and validation examples together, in parts that are held out in turn.

Each fold is evaluated with arms that did not train on it, so all examples select, not the few of
one validation set.
"""

import copy
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ...training._trees import n_rows
from ...training.compiled.sharding import place_like
from .arms import REFIT
from .held_out import losses_of, pick_rows, weighted_first

GROUPS = 256
"""A fold keeps the losses of so many examples, or of groups of them: their spread is the error."""


class Folds:
    """All examples, and which of them each fold holds out.

    All folds have the same size, so one compiled program serves them. The few examples that are
    left over, and those of weight 0, are always trained on.

    **Attributes**

    - `count`: the number of folds; `rows`: the number of examples that are held out once.
    """

    def __init__(
        self,
        data: Any,
        weights: Any,
        count: int,
        examples: Callable[..., Any],
        params: Any,
        model_state: Any,
    ):
        self.data, self.count, self._examples = data, count, examples
        order = np.random.default_rng(0).permutation(n_rows(data))
        order, counted = weighted_first(order, weights)
        self._group = -(-(counted // count) // GROUPS)
        size = counted // count // self._group * self._group
        parts = [np.sort(order[k * size : (k + 1) * size]) for k in range(count)]
        self.rows = count * size
        self._held_out = [pick_rows(data, part) for part in parts]
        rests = [np.setdiff1d(order, part) for part in parts]
        both = data, weights
        self._trained_on = {k: pick_rows(both, rest) for k, rest in enumerate(rests)}
        self._trained_on[REFIT] = both
        self._start = [self._losses(k, params, model_state) for k in range(count)]

    @property
    def start(self) -> np.ndarray:
        """The losses of the start, of all examples or groups of them, fold by fold."""
        return np.concatenate(self._start)

    def trained_on(self, fold: int) -> tuple[Any, Any]:
        """Return the examples that the arms of a fold train on, and their weights or None."""
        return self._trained_on[fold]

    def placed_on(self, device: Any) -> "Folds":
        """Return these folds with all arrays on a device."""
        other = copy.copy(self)
        other.data, other._held_out, other._trained_on = jax.device_put(
            (self.data, self._held_out, self._trained_on), device
        )
        return other

    def changes(self, fold: int, params: Any, model_state: Any) -> tuple[float, ...]:
        """Return the losses of the examples that a fold holds out, minus those of the start."""
        return tuple((self._losses(fold, params, model_state) - self._start[fold]).tolist())

    def _losses(self, fold: int, params: Any, model_state: Any) -> np.ndarray:
        data = self._held_out[fold]
        losses = losses_of(self._examples, params, model_state, data)
        return losses.reshape(-1, self._group).mean(1) if len(losses) > 1 else losses


def joined(train: Any, valid: Any, rows: tuple[np.ndarray, np.ndarray] | None = None) -> Any:
    """Return training and validation examples together, in the order of their `rows` if given."""
    order = slice(None) if rows is None else np.argsort(np.concatenate(rows))
    both = jax.tree.map(lambda *x: np.concatenate([np.asarray(y) for y in x])[order], train, valid)
    return place_like(jax.tree.map(jax.numpy.asarray, both), train)
