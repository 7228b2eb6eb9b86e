"""Paths of a candidate: its updates along a stream of gradients."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .candidate import Candidate

STEPS = 20


def stream(params: Any, steps: int = STEPS) -> list[Any]:
    """Return normal gradients, the same in every certificate."""
    rng = np.random.default_rng(0)

    def draw(x: Any) -> Any:
        return jnp.asarray(rng.normal(size=jnp.shape(x)), jnp.result_type(x))

    return [jax.tree.map(draw, params) for _ in range(steps)]


def step_of(candidate: Candidate) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """Return a compiled step, or a plain one if its state only runs in Python."""
    compiled = jax.jit(candidate.step)

    def step(gradient: Any, state: Any, params: Any) -> tuple[Any, Any]:
        try:
            return compiled(gradient, state, params)
        except (jax.errors.JAXTypeError, TypeError):
            return candidate.step(gradient, state, params)

    return step


def updates_along(candidate: Candidate, step: Any, gradients: list[Any], start: Any) -> list[Any]:
    """Return the updates along some gradients; the parameters follow the updates."""
    params, state, updates = start, candidate.tx.init(start), []
    for gradient in gradients:
        update, state = step(gradient, state, params)
        params = optax.apply_updates(params, update)
        updates.append(update)
    return updates


def flat(trees: Any) -> np.ndarray:
    """Return all entries of a tree, or of several, as a vector in float64."""
    leaves = [np.ravel(np.asarray(x)).astype(float) for x in jax.tree.leaves(trees)]
    return np.concatenate([np.zeros(0), *leaves])
