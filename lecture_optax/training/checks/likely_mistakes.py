"""Warnings before a run starts, of what is allowed and probably a mistake."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.dtypes import dtype_of
from .._cached import cached
from .._trees import n_rows, take_rows
from ..problem import Problem
from .data import overlap_message, precision_messages
from .optimizer import ended_first_message, lint_messages


def likely_mistakes(problem: Problem, optimizer: Any, carry: Any, steps: int) -> list[str]:
    """Return warnings about numbers that become equal in float32, what `lo.lint` finds in the
    optimizer, one that would skip what is not finite, validation examples that are trained on, a
    loss that is a sum or has an entry per pair, and a gradient that float16 loses.
    """
    found = [
        *precision_messages(problem.train, pairs=problem.per_example is not None),
        *lint_messages(optimizer, carry.params, steps),
        ended_first_message(carry.opt_state),
        overlap_message(problem.train, problem.valid),
        sum_message(problem, carry.params, carry.model_state),
        square_message(problem, carry.params, carry.model_state),
        underflow_message(problem, carry),
    ]
    return [message for message in found if message]


_ROWS = 8


def sum_message(problem: Problem, params: Any, model_state: Any) -> str | None:
    """Return a warning about a loss that doubles when a batch is repeated, or None.

    Only a loss of plain functions that returns one number can be a sum. Two sizes of a batch are
    compiled for it, forward only, and once for the same functions.
    """
    examples = problem.functions.examples
    batch = jax.tree.map(jnp.asarray, take_rows(problem.train, slice(_ROWS)))
    if problem.per_example is not None or _shape(examples, params, model_state, batch) != ():
        return None
    if _shape(examples, params, model_state, _twice(batch)) != ():
        return None
    once, twice = map(float, _both(examples)(params, model_state, batch))
    if not np.isfinite(twice) or abs(twice - 2 * once) > 1e-3 * abs(twice) or once == 0:
        return None
    return (
        f"the loss doubles when a batch contains every example twice ({once:.4g}, {twice:.4g}): it "
        "is a sum, so its gradient grows with batch_size and the best learning rate depends on it. "
        "Return the mean, or better one number per example, of which the mean is taken."
    )


_FIRST, _FACTOR, _SHARE = 64, 2.0**12, 0.1
"""The examples whose gradient is measured, how much larger it is made, and what may be lost."""


def underflow_message(problem: Problem, carry: Any) -> str | None:
    """Return a warning about a model in float16 whose gradient is 0 where it is small, or None.

    The gradient is computed of the loss and of a large multiple of it. An entry that is 0 of the
    first alone is below the smallest float16, 6e-8, on its way back through the model.
    """
    dtypes = {problem.dtype, *(dtype_of(x) for x in jax.tree.leaves(carry.params))}
    if jnp.dtype(jnp.float16) not in dtypes:
        return None
    batch = jax.tree.map(jnp.asarray, take_rows(problem.train, slice(_FIRST)))
    count = _lost_and_present(problem.functions.loss)
    lost, present = map(int, count(carry.params, carry.model_state, batch, carry.key))
    if lost <= _SHARE * present:
        return None
    return (
        f"{lost / present:.0%} of the entries of the first gradient are 0 because float16 ends at "
        "6e-8, and in float32 they are not: the optimizer does not see them. Pass "
        "dtype=jnp.bfloat16, which has the range of float32, or train in float32; or make the "
        "targets or the loss larger."
    )


@cached
def _lost_and_present(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Return how many entries of a gradient are 0 for want of range, and how many are not."""

    def count(params, model_state, batch, key):
        def gradient(factor):
            return jax.grad(lambda p: factor * loss(p, model_state, batch, key)[0])(params)

        def pair(plain, scaled):
            is_present = (scaled != 0) & jnp.isfinite(scaled)
            return jnp.stack([jnp.sum(is_present & (plain == 0)), jnp.sum(is_present)])

        found = jax.tree.map(pair, gradient(1.0), gradient(_FACTOR))
        return sum(jax.tree.leaves(found), jnp.zeros(2, int))

    return jax.jit(count)


def square_message(problem: Problem, params: Any, model_state: Any) -> str | None:
    """Return a warning about losses with one entry per pair of examples, or None."""
    if problem.per_example is not None:
        return None
    batch = jax.tree.map(jnp.asarray, take_rows(problem.train, slice(_ROWS)))
    for rows in (n_rows(batch), 2 * n_rows(batch)):
        shape = _shape(problem.functions.examples, params, model_state, batch)
        if shape is None or shape[:2] != (rows, rows):
            return None
        batch = _twice(batch)
    return (
        "the loss has one entry per pair of examples, (n, n) for a batch of n, and its mean is "
        "trained on. Is (n, 1) subtracted from (n,)? Make the shapes equal, by y[:, None] or "
        "prediction[:, 0]. If pairs are meant, return their mean."
    )


@cached
def _both(examples: Callable[..., Any]) -> Callable[..., Any]:
    def both(params, model_state, batch):
        return tuple(examples(params, model_state, b)["loss"] for b in (batch, _twice(batch)))

    return jax.jit(both)


def _shape(examples: Callable[..., Any], params: Any, model_state: Any, batch: Any) -> Any:
    """Return the shape of the loss, or None where it takes batches of one size only."""
    try:
        return jax.eval_shape(examples, params, model_state, batch)["loss"].shape
    except (TypeError, ValueError):
        return None


def _twice(batch: Any) -> Any:
    return jax.tree.map(lambda a: jnp.concatenate([a, a]), batch)
