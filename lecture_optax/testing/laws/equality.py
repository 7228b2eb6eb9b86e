"""Law 9. Equal to the reference: the formula in float64 NumPy decides, Optax confirms under x64."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._law import law, naming, same_values
from .._subject import Subject

_STEPS, _ENTRIES, _AT_REST = 300, 7, 5


@law(9)
def it_is_the_formula(subject: Subject) -> None:
    """In float32, 300 steps are those of the float64 formula, to 12 ulp of the largest entry."""
    if subject.reference is not None:
        _is_the_formula(subject, subject.reference, subject.typed, subject.typed)


@law(9)
def it_is_the_formula_at_the_lowest_values(subject: Subject) -> None:
    """The step is the formula also with β = 0 and ε = 0, one of them or all."""
    if subject.reference is None:
        return
    run = jax.jit(lambda values, *given: _updates(subject, subject.build(**values), *given))
    for values in _at_their_lowest(subject):
        params, gradients = _trajectory(subject)
        expected = subject.reference(gradients, params, **values)
        with jax.enable_x64(False), naming(f"traced, with {values}"):
            traced = {name: jnp.float32(value) for name, value in values.items()}
            allowed = _rounding(subject, 4, gradients, params, values)
            same_values(list(run(traced, gradients, params)), list(expected), "step", allowed)


@law(9)
def it_is_the_formula_while_a_hyperparameter_moves(subject: Subject) -> None:
    """With a schedule for a hyperparameter, step k is the formula with its value at k."""
    if subject.reference is None:
        return
    for name, hyperparameter in subject.hyperparameters.items():
        if hyperparameter.schedule:
            with naming(f"with {name} moving"):
                formulas, ours = (_moving(hyperparameter.value, xp) for xp in (np, jnp))
                values = subject.typed
                moving = {**values, name: ours}, {**values, name: formulas}
                _is_the_formula(subject, subject.reference, *moving)


@law(9)
def in_float64_it_is_the_peer(subject: Subject) -> None:
    """In float64, 300 steps are those of another implementation to 1e-12 of the largest entry."""
    if subject.peer is None:
        return
    _is_the_peer(subject, subject.peer, subject.typed)


@law(9)
def what_is_left_out_is_what_the_peer_leaves_out(subject: Subject) -> None:
    """In float64 and with default arguments, 300 steps are those of the other implementation."""
    if subject.peer is None:
        return
    default = {n: p.default for n, p in inspect.signature(subject.make).parameters.items()}
    without = (inspect.Parameter.empty, None)  # with None it would be another method
    needed = {name: value for name, value in subject.typed.items() if default[name] in without}
    _is_the_peer(subject, subject.peer, needed)


def _is_the_peer(subject: Subject, peer: Callable, values: dict) -> None:
    params, gradients = _trajectory(subject)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        expected = _updates(subject, peer(**values), gradients, params)
        tx = subject.make(**{**subject.arguments, **values})
        actual = _updates(subject, tx, gradients, params)
        same_values(list(actual), list(expected), "step", 1e-12)


def _is_the_formula(subject: Subject, formula: Callable, ours: dict, formulas: dict) -> None:
    params, gradients = _trajectory(subject)
    expected = formula(gradients, params, **formulas)
    with jax.enable_x64(False):
        actual = _updates(subject, subject.build(**ours), gradients, params)
        allowed = _rounding(subject, 2, gradients, params, formulas)
        same_values(list(actual), list(expected), "step", allowed)


def _rounding(subject: Subject, times: int, gradients: Any, params: Any, values: dict) -> Any:
    """Return the allowed rounding error of each step, as a part of its largest entry.

    A step rounds a product and a sum (`times` is 2), and two products more where the numbers are
    traced. Each rounding is half an ulp at most; over the steps they add up like a random walk:
    (1/2) ulp · sqrt(2 · 300) is 12 ulp. An ill-conditioned formula magnifies that.
    """
    walk = np.finfo("float32").eps / 2 * math.sqrt(times * _STEPS)
    if subject.condition is None:
        return walk
    return walk * subject.condition(gradients, params, **values)


def _at_their_lowest(subject: Subject) -> list[dict[str, float]]:
    """Return the lowest values of all hyperparameters but the learning rate, together and alone."""
    low = {name: h for name, h in subject.lowest.items() if name != "learning_rate"}
    alone = [{name: value} for name, value in low.items()]
    return [{**subject.values, **some} for some in (low, *alone)]


def _moving(last: float, xp):
    """Return a schedule from 0 towards `last`, like k/(k + 3), in NumPy or in JAX."""
    return lambda k: last * xp.asarray(k, float) / (xp.asarray(k, float) + 3)


def _trajectory(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Return parameters and gradients that float32 holds, as float64. One entry rests at first."""
    draw = np.random.default_rng(0).standard_normal
    walk, gradients = draw((_STEPS, _ENTRIES)).cumsum(axis=0), draw((_STEPS, _ENTRIES))
    gradients = np.abs(gradients) if subject.takes == "magnitude" else gradients
    gradients[:_AT_REST, 0] = 0
    return walk.astype("float32").astype(float), gradients.astype("float32").astype(float)


def _updates(subject, tx, gradients, params) -> jax.Array:
    """Return the updates of `tx`, step by step."""
    given = jnp.asarray(params, float), jnp.asarray(gradients, float)

    def body(state, now):
        update, state = subject.update(tx, now[1], state, now[0])
        return state, update

    return jax.lax.scan(body, tx.init(given[0][0]), given)[1]
