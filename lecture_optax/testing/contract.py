"""The contract: every public transformation and optimizer, a row each.

A row is named for the public function it is about, and for what is special about its arguments. A
public transformation without a row fails the suite (`tests/contract/`), and a law that a row
cannot hold is listed in it with the reason.
"""

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
_MU = {"mu_dtype": "mu"}
_TRACE = {"accumulator_dtype": "trace"}


def centred() -> Transformation:
    """A block as a user writes one: the gradient less its mean."""

    def init_fn(params):
        return optax.EmptyState()

    def update_fn(updates, state, params=None, **extra_args):
        return jax.tree.map(lambda g: g - jnp.sum(g) / max(g.size, 1), updates), state

    return block(init_fn, update_fn)


def slide(learning_rate: Scalar | Schedule, decay: Scalar) -> Transformation:
    """A chain as a user writes one: momentum as on the slide, τ inside the velocity."""
    return chain(optax.identity(), scale_by_learning_rate(learning_rate), trace(decay))


def scaled(decay: Scalar, eps: Scalar) -> Transformation:
    """A preconditioned velocity: the last gradient is small where all have been."""
    return precondition(trace(decay), by=chain(second_moment(decay), inverse_root(eps)))


def restarted(decay: Scalar | Schedule) -> Transformation:
    """A velocity that starts again where it leads uphill."""
    return restart(nesterov_trace(decay))


def restarted_by_value(decay: Scalar | Schedule) -> Transformation:
    """A velocity that starts again where the loss has gone up."""
    return restart(nesterov_trace(decay), on="value")


def squared_norm(params: Any) -> dict[str, jax.Array]:
    """|θ|², for a transformation that tests a value."""
    squares = [jnp.sum(jnp.abs(jnp.asarray(x)) ** 2, dtype=float) for x in jax.tree.leaves(params)]
    return {"value": sum(squares, jnp.zeros(()))}


def turned(eps: Scalar, initial: Scalar) -> Transformation:
    """AdaGrad's matrix D: a step that turns with the parameters."""
    return precondition(optax.identity(), by=full_matrix(eps, initial=initial))


def valley(params: Any) -> jax.Array:
    """A loss as a user writes one, with a second derivative that turns with θ: it is flat along θ.

    E = |θ|²/2 + 10 s,    ∇²E = I + 10 (I/s - θ θᵀ/s³),    s = sqrt(1 + |θ|²)
    """
    squares = sum((jnp.sum(abs_squared(p)) for p in jax.tree.leaves(params)), jnp.zeros(()))
    return squares / 2 + 10 * jnp.sqrt(1 + squares)


_NEWTON: dict[str, Any] = {
    "needs_params": True,
    "extra_args": lambda params: {"value_fn": valley},
    "reference": references.newton_in_the_valley,
}
_NO_AXIS = {
    "a_compiled_step_leaves_its_state_where_it_lies": "G is over pairs of entries: it has no axis "
    "of its parameter, and the compiler lays it out.",
}

CONTRACT: dict[str, Subject] = {
    "block": Subject(centred, reference=references.centred),
    "chain": Subject(
        slide,
        hyperparameters={**_RATE, "decay": _SLOW},
        around=chain,
        reference=references.slide_momentum,
    ),
    "precondition": Subject(
        scaled,
        hyperparameters={"decay": _SLOW, "eps": _SMALL},
        around=lambda member: precondition(member, by=member),
        reference=references.scaled,
    ),
    "trace": Subject(
        trace,
        hyperparameters={"decay": _MOMENTUM},
        accumulators=_TRACE,
        reference=references.trace,
        peer=optax.trace,
    ),
    "nesterov_trace": Subject(
        nesterov_trace,
        hyperparameters={"decay": _MOMENTUM},
        accumulators=_TRACE,
        reference=references.nesterov_trace,
        peer=partial(optax.trace, nesterov=True),
    ),
    "optimized_trace": Subject(
        optimized_trace,
        arguments={"total_steps": 3},
        accumulators=_TRACE,
        reference=partial(references.optimized_trace, total_steps=3),
        condition=partial(references.condition_of_optimized_trace, total_steps=3),
    ),
    "restart": Subject(
        restarted,
        hyperparameters={"decay": _MOMENTUM},
        around=restart,
        reference=references.restarted,
    ),
    "restart, by value": Subject(
        restarted_by_value,
        hyperparameters={"decay": _MOMENTUM},
        extra_args=squared_norm,
        around=partial(restart, on="value"),
        reference=references.restarted_by_value,
    ),
    "first_moment": Subject(
        first_moment,
        hyperparameters={"decay": _SLOW},
        accumulators={"accumulator_dtype": "mu"},
        reference=references.first_moment,
        peer=partial(optax.ema, debias=False),
    ),
    "nesterov_first_moment": Subject(
        nesterov_first_moment,
        hyperparameters={"decay": _SLOW},
        accumulators={"accumulator_dtype": "mu"},
        reference=references.nesterov_first_moment,
    ),
    "bias_correction": Subject(
        bias_correction,
        hyperparameters={"decay": _SLOWER},
        reference=references.bias_correction,
    ),
    "second_moment": Subject(
        second_moment,
        hyperparameters={"decay": _SLOWER, "initial": _SMALL},
        gives="magnitude",
        reference=references.second_moment,
    ),
    "sum_of_squares": Subject(
        sum_of_squares,
        hyperparameters={"initial": _SMALL},
        gives="magnitude",
        reference=references.sum_of_squares,
    ),
    "infinity_moment": Subject(
        infinity_moment,
        hyperparameters={"decay": _SLOWER, "eps": _SMALL},
        gives="magnitude",
        reference=references.infinity_moment,
    ),
    "full_matrix": Subject(
        full_matrix,
        hyperparameters={"eps": _SMALL, "eps_root": _SMALL, "initial": (1.0,)},
        gives="matrix",
        reference=references.full_matrix,
        condition=references.condition_of_full_matrix,
        exceptions=_NO_AXIS,
    ),
    "full_matrix, diagonal": Subject(
        full_matrix,
        arguments={"diagonal_above": 0},
        hyperparameters={"eps": _SMALL, "eps_root": _SMALL, "initial": _SMALL},
        gives="magnitude",
        reference=references.adagrads_diagonal,
    ),
    "newton": Subject(newton, hyperparameters={"damping": (0.5,)}, run_compiled=True, **_NEWTON),
    "newton, conjugate gradients": Subject(
        newton,
        arguments={"iterative_above": 0},
        # not near 1 ulp, where rounding says after how many directions the residual is small
        hyperparameters={"damping": (0.5,), "tolerance": (1e-5,)},
        run_compiled=True,
        **_NEWTON,
    ),
    "precondition, full matrix": Subject(
        turned,
        hyperparameters={"eps": _SMALL, "initial": (1.0,)},
        reference=references.turned,
        condition=references.condition_of_turned,
        exceptions=_NO_AXIS,
    ),
    "running_max": Subject(
        running_max, takes="magnitude", gives="magnitude", reference=references.running_max
    ),
    "variance": Subject(
        variance,
        hyperparameters={"decay": _SLOW, "initial": _SMALL},
        gives="magnitude",
        reference=references.variance,
    ),
    "variance, corrected": Subject(
        variance,
        arguments={"bias_correction": True},
        hyperparameters={"decay": _SLOW},
        gives="magnitude",
        reference=partial(references.variance, bias_correction=True),
    ),
    "inverse_root": Subject(
        inverse_root,
        hyperparameters={"eps": _SMALL, "eps_root": _SMALL},
        takes="magnitude",
        gives="magnitude",
        reference=references.inverse_root,
    ),
    "inverse": Subject(inverse, takes="magnitude", gives="magnitude", reference=references.inverse),
    "scale_by_learning_rate": Subject(
        scale_by_learning_rate,
        hyperparameters=_RATE,
        reference=references.scale_by_learning_rate,
        peer=optax.scale_by_learning_rate,
    ),
    "scale_by_learning_rate, uphill": Subject(
        scale_by_learning_rate,
        arguments={"flip_sign": False},
        hyperparameters=_RATE,
        reference=partial(references.scale_by_learning_rate, flip_sign=False),
        peer=partial(optax.scale_by_learning_rate, flip_sign=False),
    ),
    "average_iterates": Subject(
        average_iterates,
        hyperparameters={"eta": (8.0,)},
        needs_params=True,
        reference=references.average_iterates,
    ),
    "sgd": Subject(sgd, hyperparameters=_RATE, reference=references.sgd, peer=optax.sgd),
    "sgd, momentum": Subject(
        sgd,
        hyperparameters={**_RATE, "momentum": _MOMENTUM},
        accumulators=_TRACE,
        reference=references.sgd,
        peer=optax.sgd,
    ),
    "sgd, Nesterov": Subject(
        sgd,
        arguments={"nesterov": True},
        hyperparameters={**_RATE, "momentum": _MOMENTUM},
        accumulators=_TRACE,
        reference=partial(references.sgd, nesterov=True),
        peer=partial(optax.sgd, nesterov=True),
    ),
    "adagrad": Subject(
        adagrad,
        hyperparameters={**_RATE, "initial_accumulator_value": (0.1,), "eps": _SMALL},
        reference=references.adagrad,
        peer=optax.adagrad,
    ),
    "rmsprop": Subject(
        rmsprop,
        hyperparameters={**_RATE, "decay": _SLOW, "eps": _SMALL, "initial_scale": _SMALL},
        reference=references.rmsprop,
        peer=optax.rmsprop,
    ),
    "rmsprop, ε outside, corrected": Subject(
        rmsprop,
        arguments={"eps_in_sqrt": False, "bias_correction": True},
        hyperparameters={**_RATE, "decay": _SLOW, "eps": _SMALL},
        reference=partial(references.rmsprop, eps_in_sqrt=False, bias_correction=True),
        peer=partial(optax.rmsprop, eps_in_sqrt=False, bias_correction=True),
    ),
    "rmsprop, centred, momentum": Subject(
        rmsprop,
        arguments={"centered": True},
        hyperparameters={**_RATE, "decay": _SLOW, "eps": _SMALL, "momentum": _MOMENTUM},
        reference=partial(references.rmsprop, centered=True),
        peer=partial(optax.rmsprop, centered=True),
    ),
    "rmsprop, centred, corrected, Nesterov": Subject(
        rmsprop,
        arguments={"centered": True, "bias_correction": True, "nesterov": True},
        hyperparameters={**_RATE, "decay": _SLOW, "eps": (0.1,), "momentum": _MOMENTUM},
        reference=partial(references.rmsprop, centered=True, bias_correction=True, nesterov=True),
        peer=partial(optax.rmsprop, centered=True, bias_correction=True, nesterov=True),
        condition=references.condition_of_centred_rmsprop,
        exceptions={
            "what_is_left_out_is_what_the_peer_leaves_out": "one gradient has not varied, and the "
            "first D is ε^(-1/2): Optax's is what rounding leaves of c - |m|², beside ε = 1e-8.",
        },
    ),
    "adam": Subject(
        adam,
        hyperparameters=_ADAM,
        accumulators=_MU,
        reference=references.adam,
        peer=optax.adam,
    ),
    "adam, Nesterov": Subject(
        adam,
        arguments={"nesterov": True},
        hyperparameters=_ADAM,
        accumulators=_MU,
        reference=references.nadam,
        peer=partial(optax.adam, nesterov=True),
    ),
    "adamw": Subject(
        adamw,
        hyperparameters={**_ADAM, "weight_decay": (0.1, "[0, inf)", True)},
        needs_params=True,
        accumulators=_MU,
        reference=references.adamw,
        peer=optax.adamw,
    ),
    "nadam": Subject(
        nadam,
        hyperparameters=_ADAM,
        accumulators=_MU,
        reference=references.nadam,
        peer=optax.nadam,
    ),
    "amsgrad": Subject(
        amsgrad,
        hyperparameters=_ADAM,
        accumulators=_MU,
        reference=references.amsgrad,
        peer=optax.amsgrad,
    ),
    "amsgrad, as the paper": Subject(
        amsgrad,
        arguments={"bias_correction_mu": False, "bias_correction_nu": False},
        hyperparameters=_ADAM,
        accumulators=_MU,
        reference=partial(references.amsgrad, bias_correction_mu=False, bias_correction_nu=False),
        peer=partial(optax.amsgrad, bias_correction_mu=False, bias_correction_nu=False),
    ),
    "adamax": Subject(
        adamax,
        hyperparameters={**_RATE, "b1": _SLOW, "b2": _SLOWER, "eps": _SMALL},
        reference=references.adamax,
        peer=optax.adamax,
    ),
}
"""Every row by name. `CONTRACT["adam"]` is the subject that the laws are held against."""
