"""Nesterov's velocities: accumulate, then take the same step once more, looking ahead."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._core import validate
from ._core.block import block, refuse_leaves_without_gradient, refuse_other_state
from ._core.describe import describe, described
from ._core.dtypes import as_array, cast_like, default_float, scale, widen, zeros_like
from ._core.numerics import at_step, decayed, decayed_tree, one_minus_power
from ._core.types import DTypeLike, Scalar, Schedule, Transformation


class NesterovTraceState(NamedTuple):
    """The number of gradients so far, k, the momentum μ(k-1) of the last one, and v(k)."""

    count: ArrayLike
    momentum: ArrayLike
    trace: optax.Updates


class NesterovFirstMomentState(NamedTuple):
    """The number of gradients so far, k, and their average m(k), not corrected."""

    count: ArrayLike
    mu: optax.Updates


@described
def nesterov_trace(
    decay: Scalar | Schedule, *, accumulator_dtype: DTypeLike | None = None
) -> Transformation:
    """Accumulate the gradients and look ahead: the velocity of Nesterov's method.

        v(k+1) = μ(k-1) v(k) + g(k)
        update = g(k) + μ(k) v(k+1),    v(0) = 0,    k = 0, 1, ...

    In the variable θ at which the gradient is taken, the look-ahead point; Nesterov's own iterate
    x is read by `lookahead_readout`. With a momentum that moves, the memory uses the μ of the step
    before (kept in the state) and the look-ahead today's: only so is it Nesterov's method. One
    value for both, as an injected momentum has it, is a different method.

    The slide keeps τ inside the velocity, `chain(scale_by_learning_rate(τ), nesterov_trace(α))`;
    Optax, torch and `sgd` outside, `chain(nesterov_trace(α), scale_by_learning_rate(τ))`. For a
    constant τ they are equal; see `trace` for what a schedule does to each.

    **Arguments**

    - `decay`: the momentum μ, in [0, 1). Number, array, tracer, or a schedule μ(k).
    - `accumulator_dtype`: dtype of the velocity. At least float32 when not given.

    **Raises** `ValueError` or `TypeError` if `decay` is concrete and not in [0, 1).

    Source: the lecture, slide "Nesterov"; Nesterov (1983); Sutskever et al. (2013).

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax import nesterov_trace
    >>> tx = nesterov_trace(0.5)
    >>> state = tx.init(jnp.float32(0.0))
    >>> velocity, state = tx.update(jnp.float32(1.0), state)
    >>> float(velocity)  # g + 0.5 v, where v = g
    1.5

    ```
    """
    validate.decay_or_schedule(decay=decay)

    def init_fn(params):
        momentum = jnp.zeros((), default_float())  # multiplies v(0) = 0
        return NesterovTraceState(
            jnp.zeros((), jnp.int32), momentum, zeros_like(params, accumulator_dtype)
        )

    def update_fn(updates, state, params=None, **extra_args):
        mu = at_step(state.count, decay=decay)
        before = state.momentum if callable(decay) else decay
        velocity = jax.tree.map(jnp.add, decayed_tree(before, state.trace), updates)
        ahead = jax.tree.map(jnp.add, scale(mu, velocity), updates)
        momentum = as_array(mu, default_float())
        return ahead, NesterovTraceState(optax.safe_increment(state.count), momentum, velocity)

    return block(init_fn, update_fn)


@described
def nesterov_first_moment(
    decay: Scalar, *, accumulator_dtype: DTypeLike | None = None
) -> Transformation:
    """Average the gradients, then look ahead: the velocity of NAdam.

        m(k) = decay m(k-1) + (1 - decay) g(k)
        v(k) = decay m(k) / (1 - decay^(k+1)) + (1 - decay) g(k) / (1 - decay^k)

    Bias-corrected as in Dozat (2016): each part by the weight of its own step, which is why this
    is one block and not an average followed by `bias_correction`.

    **Arguments**

    - `decay`: the weight of the past, in [0, 1). Number, array or tracer.
    - `accumulator_dtype`: dtype of the average. At least float32 when not given.

    **Raises** `ValueError` or `TypeError` if `decay` is concrete and not in [0, 1).

    Source: Dozat (2016), "Incorporating Nesterov momentum into Adam".

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax import nesterov_first_moment
    >>> tx = nesterov_first_moment(0.5)
    >>> velocity, _ = tx.update(jnp.float32(3.0), tx.init(jnp.float32(0.0)))
    >>> float(velocity)  # 0.5 · 1.5 / 0.75 + 0.5 · 3 / 0.5
    4.0

    ```
    """
    validate.decay(decay=decay)

    def init_fn(params):
        count = jnp.zeros((), jnp.int32)
        return NesterovFirstMomentState(count, zeros_like(params, accumulator_dtype))

    def update_fn(updates, state, params=None, **extra_args):
        k = optax.safe_increment(state.count)
        mu = jax.tree.map(lambda m, g: decayed(decay, m) + (1 - decay) * g, state.mu, updates)
        past = scale(decay / one_minus_power(decay, optax.safe_increment(k)), mu)
        newest = scale((1 - decay) / one_minus_power(decay, k), updates)
        return jax.tree.map(jnp.add, past, newest), NesterovFirstMomentState(k, mu)

    return block(init_fn, update_fn)


def lookahead_readout(tx: optax.GradientTransformation, state: Any, params: Any) -> Any:
    """Return Nesterov's iterate x, computed from the stored look-ahead point θ.

        x = θ + τ μ(k) v(k+1)    for chain(nesterov_trace(μ), scale_by_learning_rate(τ))
        x = θ - μ(k) v(k+1)      for chain(scale_by_learning_rate(τ), nesterov_trace(μ))

    The parameters of a loop are θ, the points at which gradients are taken; the theorems about
    Nesterov's method speak of x.

    **Arguments**

    - `tx`: one of the two chains above, or `sgd(..., nesterov=True)`; also with the velocity in a
      `restart`.
    - `state`, `params`: what the loop holds after a step (or at the start, where x = θ).

    **Returns** a tree like `params`.

    **Raises** `ValueError` for any other transformation, naming its members.

    Source: Sutskever et al. (2013); measured in `theory.claims.nesterov_form`, where μ moves too.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo, optax
    >>> tx, θ = lo.sgd(0.5, momentum=0.9, nesterov=True), jnp.float32(1.0)
    >>> update, state = tx.update(θ, tx.init(θ))
    >>> θ = optax.apply_updates(θ, update)
    >>> round(float(lo.lookahead_readout(tx, state, θ)), 6)  # one plain step: 1 - τ · 1
    0.5

    ```
    """
    refuse_leaves_without_gradient(params)
    validate.transformation(tx=tx)
    refuse_other_state(tx.init, state, params)
    names, states = _stages(tx, state)
    if names == ("nesterov_trace", "scale_by_learning_rate"):
        nesterov, rate = states
        ahead = scale(rate.learning_rate * nesterov.momentum, nesterov.trace)
    elif names == ("scale_by_learning_rate", "nesterov_trace"):
        _, nesterov = states
        ahead = scale(-nesterov.momentum, nesterov.trace)
    else:
        raise ValueError(
            "tx must be chain(nesterov_trace(μ), scale_by_learning_rate(τ)) or the same in the "
            f"other order, got {describe(tx)}: its look-ahead is not known."
        )
    return cast_like(jax.tree.map(jnp.add, widen(params), widen(ahead)), params)


def _stages(tx: optax.GradientTransformation, state: Any) -> tuple[tuple, tuple]:
    """Return the names and states of a chain's stages, with the velocity for a `restart`."""
    stages = [
        (member.members[0].name, own.velocity) if member.name == "restart" else (member.name, own)
        for member, own in zip(describe(tx).members, state, strict=False)
    ]
    return tuple(name for name, _ in stages), tuple(own for _, own in stages)
