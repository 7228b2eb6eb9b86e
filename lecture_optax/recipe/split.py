"""Where do held-out rows come from, when none are given?"""

import dataclasses
from typing import Any

import jax
import numpy as np

from ..training.problem import Problem
from . import constants as c


def hold_back(problem: Problem, seed: int = 0) -> Problem:
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
