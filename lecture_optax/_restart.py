"""Restarts of a velocity that leads uphill."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._core import validate
from ._core.block import block
from ._core.describe import describe, described
from ._core.dtypes import as_array, cast_like, default_float
from ._core.types import Transformation


class RestartState(NamedTuple):
    """The number of restarts, the last value (None if not used), and the velocity's state."""

    restarts: ArrayLike
    value: ArrayLike | None
    velocity: optax.OptState


@described
def restart(
    velocity: optax.GradientTransformation, *, on: Literal["gradient", "value"] = "gradient"
) -> Transformation:
    """Reset a velocity, memory and counts, when it points uphill.

        v(k+1) = velocity(g(k)), but that of a velocity at rest, and its state,
                 if <g(k), v(k+1)> < 0       on="gradient"
                 if f(θ(k)) > f(θ(k-1))      on="value"

    A momentum that grows like k/(k+3) is fast on the way and swings to and fro at the end, which
    shows without knowing the curvature. From a restart on, all is as if θ(k) were the start.
    The tests want exact gradients or losses: the noise of a minibatch would restart all the time.
    (The paper tests along Nesterov's x, `on="gradient"` here along the step of θ.)

    **Arguments**

    - `velocity`: a velocity, mostly `nesterov_trace(schedules.momentum_nesterov())`. The learning
      rate stands outside, `chain(restart(...), scale_by_learning_rate(τ))`, and is not restarted.
    - `on`: what is tested. "value" needs the loss at θ(k): `tx.update(..., value=loss)`.

    **Raises** `ValueError` for another word or for a velocity with a learning rate inside, whose
    minus sign turns the test around; and from `update` with `on="value"`, if it is not given.

    Source: O'Donoghue and Candès (2015), "Adaptive restart for accelerated gradient schemes".

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.restart(lo.trace(0.5))
    >>> state = tx.init(jnp.float32(0.0))
    >>> for gradient in (1.0, 1.0, -0.5):  # the third is beyond the minimum
    ...     v, state = tx.update(jnp.float32(gradient), state)
    >>> float(v), int(state.restarts), int(state.velocity.count)
    (-0.5, 1, 1)

    ```
    """
    validate.one_of("gradient", "value", on=on)
    _refuse_a_learning_rate(velocity)
    inner = optax.with_extra_args_support(velocity)

    def init_fn(params):
        value = jnp.full((), jnp.inf, default_float()) if on == "value" else None
        return RestartState(jnp.zeros((), jnp.int32), value, inner.init(params))

    def update_fn(updates, state, params=None, **extra_args):
        def step_from(inner_state):
            return inner.update(updates, inner_state, params, **extra_args)

        def step_from_rest():
            rest = inner.init(updates if params is None else params)
            return step_from(cast_like(rest, state.velocity))

        moved = step_from(state.velocity)
        if on == "value":
            value = _value_in(extra_args)
            uphill = value > state.value
        else:
            value, uphill = None, _inner_product(updates, moved[0]) < 0
        # A select, not a branch: it fuses, and an eager step compiles nothing for it.
        update, inner_state = jax.tree.map(
            lambda new, old: jnp.where(uphill, new, old), step_from_rest(), moved
        )
        restarts = jnp.where(uphill, optax.safe_increment(state.restarts), state.restarts)
        return update, RestartState(restarts, value, inner_state)

    return block(init_fn, update_fn)


def _refuse_a_learning_rate(velocity: optax.GradientTransformation) -> None:
    if any(part.name == "scale_by_learning_rate" for part in describe(velocity).walk()):
        raise ValueError(
            f"velocity must have no learning rate inside, got {describe(velocity)}: "
            "chain(restart(velocity), scale_by_learning_rate(τ)) keeps it outside."
        )


def _value_in(extra_args: dict[str, Any]) -> jax.Array:
    if (value := extra_args.get("value")) is None:
        raise ValueError(
            'restart(on="value") needs the loss at the parameters, got value=None: call '
            'tx.update(gradient, state, params, value=loss), or take on="gradient".'
        )
    try:
        array = jnp.asarray(value)
        known = array.shape == () and array.dtype != bool and not jnp.iscomplexobj(array)
    except Exception:  # whatever JAX says of what is no array
        array, known = None, False
    if not known:
        raise TypeError(f"value must be the loss at the parameters, one number, got {value!r}.")
    return as_array(array, default_float())


def _inner_product(tree: Any, other: Any) -> jax.Array:
    """Return the real part of Σ conj(x) y, in the widest float that is enabled."""
    products = jax.tree.map(lambda x, y: jnp.sum((x.conj() * y).real), tree, other)
    terms = [as_array(x, default_float()) for x in jax.tree.leaves(products)]
    return sum(terms, jnp.zeros((), default_float()))
