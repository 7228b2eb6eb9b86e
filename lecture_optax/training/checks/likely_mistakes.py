"""Warnings before a run starts, of what is allowed and probably a mistake."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._cached import cached
from .._trees import n_rows, take_rows
from ..problem import Problem
from .data import overlap_message, precision_messages
from .optimizer import climb_message, ended_first_message, horizon_messages


def likely_mistakes(problem: Problem, optimizer: Any, carry: Any, steps: int) -> list[str]:
    """Return warnings about numbers that become equal in float32, an optimizer that climbs or would
    skip what is not finite, a schedule of another length than the run, validation examples that are
    trained on, and a loss that is a sum or has an entry per pair.
    """
    found = [
        *precision_messages(problem.train, pairs=problem.per_example is not None),
        *horizon_messages(optimizer, steps),
        climb_message(optimizer, carry.params, carry.opt_state),
        ended_first_message(carry.opt_state),
        overlap_message(problem.train, problem.valid),
        sum_message(problem, carry.params, carry.model_state),
        square_message(problem, carry.params, carry.model_state),
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
