"""The contract: one row of options of `check` per public transformation and optimizer.

A row is named for the public function it is about, and for what is special about its arguments. A
public transformation without a row fails the suite (`tests/contract/`), and a law that a row
cannot hold is listed in it with the reason.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from .._average import average_iterates
from .._bias_correction import bias_correction
from .._core.block import block
from .._core.chain import chain
from .._core.numerics import abs_squared
from .._core.types import Scalar, Schedule, Transformation
from .._first_moment import first_moment
from .._full_matrix import full_matrix
from .._inverse_root import inverse, inverse_root
from .._learning_rate import scale_by_learning_rate
from .._magnitudes import infinity_moment, running_max, second_moment, sum_of_squares
from .._nesterov import nesterov_first_moment, nesterov_trace
from .._newton import newton
from .._optimized_trace import optimized_trace
from .._precondition import precondition
from .._restart import restart
from .._trace import trace
from .._variance import variance
from ..optimizers import adagrad, adam, adamax, adamw, amsgrad, nadam, rmsprop, sgd
from . import references
from ._subject import Subject

_SLOW, _SLOWER = (0.9, "[0, 1)"), (0.999, "[0, 1)")
_SMALL = (1e-3, "[0, inf)")
_RATE: dict[str, Any] = {"learning_rate": (0.01, "[0, inf)", True)}
_MOMENTUM = (0.9, "[0, 1)", True)
_ADAM = {**_RATE, "b1": _SLOW, "b2": _SLOWER, "eps": _SMALL, "eps_root": _SMALL}
_RMSPROP = {**_RATE, "decay": _SLOW, "eps": _SMALL}
_MU: dict[str, Any] = {"accumulators": {"mu_dtype": "mu"}}
_AVERAGE: dict[str, Any] = {"accumulators": {"accumulator_dtype": "mu"}}
_TRACE: dict[str, Any] = {"accumulators": {"accumulator_dtype": "trace"}}
_OF_MAGNITUDE: dict[str, Any] = {"takes": "magnitude", "gives": "magnitude"}


def centred() -> Transformation:
    """Subtract its mean from a gradient: a block as a user writes it."""

    def init_fn(params):
        return optax.EmptyState()

    def update_fn(updates, state, params=None, **extra_args):
        return jax.tree.map(lambda g: g - jnp.sum(g) / max(g.size, 1), updates), state

    return block(init_fn, update_fn)


def slide(learning_rate: Scalar | Schedule, decay: Scalar) -> Transformation:
    """Build momentum as on the slide, with τ inside the velocity, as a user writes a chain."""
    return chain(optax.identity(), scale_by_learning_rate(learning_rate), trace(decay))


def scaled(decay: Scalar, eps: Scalar) -> Transformation:
    """Build a preconditioned velocity: momentum divided by a root mean square."""
    return precondition(trace(decay), by=chain(second_moment(decay), inverse_root(eps)))


def restarted(decay: Scalar | Schedule) -> Transformation:
    """Build a velocity that restarts where it leads uphill."""
    return restart(nesterov_trace(decay))


def restarted_by_value(decay: Scalar | Schedule) -> Transformation:
    """Build a velocity that restarts when the loss has increased."""
    return restart(nesterov_trace(decay), on="value")


def squared_norm(params: Any) -> dict[str, jax.Array]:
    """Return |θ|² as the extra argument `value`."""
    squares = [jnp.sum(jnp.abs(jnp.asarray(x)) ** 2, dtype=float) for x in jax.tree.leaves(params)]
    return {"value": sum(squares, jnp.zeros(()))}


def turned(eps: Scalar, initial: Scalar) -> Transformation:
    """Build AdaGrad with its matrix D, whose step rotates with the parameters."""
    return precondition(optax.identity(), by=full_matrix(eps, initial=initial))


def valley(params: Any) -> jax.Array:
    """Return a loss whose second derivative rotates with θ, and is flat along θ.

    E = |θ|²/2 + 10 s,    ∇²E = I + 10 (I/s - θ θᵀ/s³),    s = sqrt(1 + |θ|²)
    """
    squares = sum((jnp.sum(abs_squared(p)) for p in jax.tree.leaves(params)), jnp.zeros(()))
    return squares / 2 + 10 * jnp.sqrt(1 + squares)


_NEWTON: dict[str, Any] = {
    "needs_params": True,
    "run_compiled": True,
    "extra_args": lambda params: {"value_fn": valley},
    "reference": references.newton_in_the_valley,
}
_NO_AXIS = {
    "a_compiled_step_leaves_its_state_where_it_lies": "G is over pairs of entries: it has no axis "
    "of its parameter, and the compiler lays it out.",
}


def _row(
    make: Callable[..., Any],
    hyperparameters: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    *,
    reference: Callable[..., Any] | None = None,
    peer: Callable[..., Any] | None = None,
    **options: Any,
) -> Subject:
    """Return a subject whose reference and peer take its arguments too.

    The reference is by default the formula of the same name.
    """
    arguments = arguments or {}
    formula = reference or getattr(references, make.__name__)
    return Subject(
        make,
        arguments,
        hyperparameters or {},
        reference=partial(formula, **arguments),
        peer=peer and partial(peer, **arguments),
        **options,
    )


CONTRACT: dict[str, Subject] = {
    "block": _row(centred),
    "chain": _row(
        slide, {**_RATE, "decay": _SLOW}, around=chain, reference=references.slide_momentum
    ),
    "precondition": _row(
        scaled,
        {"decay": _SLOW, "eps": _SMALL},
        around=lambda member: precondition(member, by=member),
    ),
    "trace": _row(trace, {"decay": _MOMENTUM}, **_TRACE, peer=optax.trace),
    "nesterov_trace": _row(
        nesterov_trace, {"decay": _MOMENTUM}, **_TRACE, peer=partial(optax.trace, nesterov=True)
    ),
    "optimized_trace": _row(
        optimized_trace,
        arguments={"total_steps": 3},
        condition=partial(references.condition_of_optimized_trace, total_steps=3),
        **_TRACE,
    ),
    "restart": _row(restarted, {"decay": _MOMENTUM}, around=restart),
    "restart, by value": _row(
        restarted_by_value,
        {"decay": _MOMENTUM},
        extra_args=squared_norm,
        around=partial(restart, on="value"),
    ),
    "first_moment": _row(
        first_moment, {"decay": _SLOW}, **_AVERAGE, peer=partial(optax.ema, debias=False)
    ),
    "nesterov_first_moment": _row(nesterov_first_moment, {"decay": _SLOW}, **_AVERAGE),
    "bias_correction": _row(bias_correction, {"decay": _SLOWER}),
    "second_moment": _row(second_moment, {"decay": _SLOWER, "initial": _SMALL}, gives="magnitude"),
    "sum_of_squares": _row(sum_of_squares, {"initial": _SMALL}, gives="magnitude"),
    "infinity_moment": _row(infinity_moment, {"decay": _SLOWER, "eps": _SMALL}, gives="magnitude"),
    "full_matrix": _row(
        full_matrix,
        {"eps": _SMALL, "eps_root": _SMALL, "initial": (1.0,)},
        gives="matrix",
        condition=references.condition_of_full_matrix,
        exceptions=_NO_AXIS,
    ),
    "full_matrix, diagonal": _row(
        full_matrix,
        {"eps": _SMALL, "eps_root": _SMALL, "initial": _SMALL},
        {"diagonal_above": 0},
        gives="magnitude",
        reference=references.adagrads_diagonal,
    ),
    "newton": _row(newton, {"damping": (0.5,)}, **_NEWTON),
    # not near 1 ulp, where rounding says after how many directions the residual is small
    "newton, conjugate gradients": _row(
        newton, {"damping": (0.5,), "tolerance": (1e-5,)}, {"iterative_above": 0}, **_NEWTON
    ),
    "precondition, full matrix": _row(
        turned,
        {"eps": _SMALL, "initial": (1.0,)},
        condition=references.condition_of_turned,
        exceptions=_NO_AXIS,
    ),
    "running_max": _row(running_max, **_OF_MAGNITUDE),
    "variance": _row(variance, {"decay": _SLOW, "initial": _SMALL}, gives="magnitude"),
    "variance, corrected": _row(
        variance, {"decay": _SLOW}, {"bias_correction": True}, gives="magnitude"
    ),
    "inverse_root": _row(inverse_root, {"eps": _SMALL, "eps_root": _SMALL}, **_OF_MAGNITUDE),
    "inverse": _row(inverse, **_OF_MAGNITUDE),
    "scale_by_learning_rate": _row(
        scale_by_learning_rate, _RATE, peer=optax.scale_by_learning_rate
    ),
    "scale_by_learning_rate, uphill": _row(
        scale_by_learning_rate, _RATE, {"flip_sign": False}, peer=optax.scale_by_learning_rate
    ),
    "average_iterates": _row(average_iterates, {"eta": (8.0,)}, needs_params=True),
    "sgd": _row(sgd, _RATE, peer=optax.sgd),
    "sgd, momentum": _row(sgd, {**_RATE, "momentum": _MOMENTUM}, **_TRACE, peer=optax.sgd),
    "sgd, Nesterov": _row(
        sgd, {**_RATE, "momentum": _MOMENTUM}, {"nesterov": True}, **_TRACE, peer=optax.sgd
    ),
    "adagrad": _row(
        adagrad,
        {**_RATE, "initial_accumulator_value": (0.1,), "eps": _SMALL},
        peer=optax.adagrad,
    ),
    "rmsprop": _row(rmsprop, {**_RMSPROP, "initial_scale": _SMALL}, peer=optax.rmsprop),
    "rmsprop, ε outside, corrected": _row(
        rmsprop, _RMSPROP, {"eps_in_sqrt": False, "bias_correction": True}, peer=optax.rmsprop
    ),
    "rmsprop, centred, momentum": _row(
        rmsprop, {**_RMSPROP, "momentum": _MOMENTUM}, {"centered": True}, peer=optax.rmsprop
    ),
    "rmsprop, centred, corrected, Nesterov": _row(
        rmsprop,
        {**_RMSPROP, "eps": (0.1,), "momentum": _MOMENTUM},
        {"centered": True, "bias_correction": True, "nesterov": True},
        peer=optax.rmsprop,
        condition=references.condition_of_centred_rmsprop,
        exceptions={
            "what_is_left_out_is_what_the_peer_leaves_out": "one gradient has not varied, and the "
            "first D is ε^(-1/2): Optax's is what rounding leaves of c - |m|², beside ε = 1e-8.",
        },
    ),
    "adam": _row(adam, _ADAM, **_MU, peer=optax.adam),
    "adam, Nesterov": _row(adam, _ADAM, {"nesterov": True}, **_MU, peer=optax.adam),
    "adamw": _row(
        adamw,
        {**_ADAM, "weight_decay": (0.1, "[0, inf)", True)},
        needs_params=True,
        peer=optax.adamw,
        **_MU,
    ),
    "nadam": _row(nadam, _ADAM, **_MU, peer=optax.nadam),
    "amsgrad": _row(amsgrad, _ADAM, **_MU, peer=optax.amsgrad),
    "amsgrad, as the paper": _row(
        amsgrad,
        _ADAM,
        {"bias_correction_mu": False, "bias_correction_nu": False},
        peer=optax.amsgrad,
        **_MU,
    ),
    "adamax": _row(adamax, {**_RATE, "b1": _SLOW, "b2": _SLOWER, "eps": _SMALL}, peer=optax.adamax),
}
"""Every row by name. `CONTRACT["adam"]` is the subject that the laws are held against."""
