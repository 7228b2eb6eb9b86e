"""How is a transformation run on gradients that are given?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..._core.describe import describe


@contextmanager
def float64() -> Iterator[None]:
    """Compute in float64, and let dtypes promote as they do for a user."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


Step = Callable[[Any, Any, Any], tuple[Any, Any]]
"""`(gradient, state, params) -> (params, state)`"""


@float64()
def replay(tx: Any, gradients: Any, start: Any, step: Step | None = None) -> tuple[Any, Any]:
    """θ(0), θ(1), ... from `start` along given gradients, whatever θ is; and the last state.

    `step`, from `step_of(tx)`, is compiled once for several replays.
    """
    step = step or step_of(tx)
    θ = jnp.asarray(start, float)
    state, path = initial(tx, θ), [θ]
    for gradient in jnp.asarray(gradients, float):
        θ, state = step(gradient, state, θ)
        path.append(θ)
    return np.stack(path), state


def step_of(tx: Any) -> Step:
    """A step of `tx`, compiled; or as it is, where a state has Python flags that it asks."""

    def plain(gradient, state, params):
        return stepped(tx, gradient, state, params)

    compiled = jax.jit(plain)

    def step(gradient, state, params):
        try:
            return compiled(gradient, state, params)
        except Exception:  # whatever is in the way of compiling; what is wrong anyway is said next
            return plain(gradient, state, params)

    return step


def initial(tx: Any, params: Any) -> Any:
    """`tx.init`, with words for what has none."""
    if not (hasattr(tx, "init") and hasattr(tx, "update")):
        raise TypeError(
            f"tx must be a gradient transformation, a pair (init, update), got {tx!r}. "
            "Is a factory missing its call, as in adam instead of adam(1e-3)?"
        )
    with words_for(tx):
        return tx.init(params)


def stepped(tx: Any, gradient: Any, state: Any, params: Any) -> tuple[Any, Any]:
    """θ and the state after one step along `gradient`."""
    with words_for(tx):
        update, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, update), state


def name_of(tx: Any) -> str:
    """As it prints."""
    return str(describe(tx)) if isinstance(tx, optax.GradientTransformation) else repr(tx)


@contextmanager
def words_for(tx: Any) -> Iterator[None]:
    """A transformation that fails on a vector and its gradient: say what a probe gives it."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{name_of(tx)} does not run on a vector of numbers and its gradient, which is all "
            f"that a probe has: {type(error).__name__}: {error}. A method that evaluates the loss "
            "(a line search) or needs another tree has no answer here: probe the transformation "
            "inside of it."
        ) from error
