"""Runs of a transformation along given gradients."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..._core import validate
from ..._core.describe import describe


@contextmanager
def float64() -> Iterator[None]:
    """Compute in float64, with standard dtype promotion."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


Step = Callable[[Any, Any, Any], tuple[Any, Any]]
"""A step: `(gradient, state, params) -> (params, state)`."""


@float64()
def replay(tx: Any, gradients: Any, start: Any, step: Step | None = None) -> tuple[Any, Any]:
    """Return θ(0), θ(1), ... from `start` along gradients that do not depend on θ; and the state.

    Pass `step=step_of(tx)` to compile once for several replays.
    """
    step = step or step_of(tx)
    θ = jnp.asarray(start, float)
    state, path = initial(tx, θ), [θ]
    for gradient in jnp.asarray(gradients, float):
        θ, state = step(gradient, state, θ)
        path.append(θ)
    return np.stack(path), state


def step_of(tx: Any) -> Step:
    """Return a compiled step of `tx`, or a plain one if its state has Python flags."""

    def plain(gradient, state, params):
        return stepped(tx, gradient, state, params)

    compiled = jax.jit(plain)

    def step(gradient, state, params):
        try:
            return compiled(gradient, state, params)
        except Exception:  # it does not compile; the plain step raises what is wrong otherwise
            return plain(gradient, state, params)

    return step


def initial(tx: Any, params: Any) -> Any:
    """Return `tx.init(params)`, or explain why `tx` is not a transformation."""
    check_pair(tx)
    with words_for(tx):
        return tx.init(params)


def check_pair(tx: Any) -> None:
    """Require a transformation, or another object with `init` and `update`."""
    if not (hasattr(tx, "init") and hasattr(tx, "update")):
        validate.transformation(tx=tx)


def stepped(tx: Any, gradient: Any, state: Any, params: Any) -> tuple[Any, Any]:
    """Return θ and the state after one step along `gradient`."""
    with words_for(tx):
        update, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, update), state


def name_of(tx: Any) -> str:
    """Return the name of a transformation in error messages: its description."""
    return f"tx={describe(tx) if isinstance(tx, optax.GradientTransformation) else repr(tx)}"


@contextmanager
def words_for(tx: Any) -> Iterator[None]:
    """Explain an error of a transformation: a probe passes a vector and its gradient only."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{name_of(tx)} does not run on a vector and its gradient, which is all that a probe "
            f"passes: {type(error).__name__}: {error}. If the method evaluates the loss (a line "
            "search) or needs another tree, probe the transformation inside it."
        ) from error
