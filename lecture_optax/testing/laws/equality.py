"""Law 9. Equal to the reference: the formula in float64 NumPy decides, Optax confirms under x64."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from .._law import law, naming, same_values
from .._subject import Subject

_STEPS, _ENTRIES, _AT_REST = 300, 7, 5


@law(9)
def it_is_the_formula(subject: Subject) -> None:
    """In float32, 300 steps are those of the float64 formula to 1e-6 of the largest entry.

    Also with β = 0 and ε = 0, where a denominator may be 0.
    """
    if subject.reference is None:
        return
    rate = {name: value for name, value in subject.typed.items() if name == "learning_rate"}
    for values in (subject.typed, {**subject.lowest, **rate}):
        with naming(f"with {values}"):
            _is_the_formula(subject, subject.reference, values, values)


@law(9)
def it_is_the_formula_while_a_hyperparameter_moves(subject: Subject) -> None:
    """A rate, a momentum, a decay of weights given as a function of k: every step has its own."""
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
    params, gradients = _trajectory(subject)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        expected = _updates(subject, subject.peer(**subject.typed), gradients, params)
        actual = _updates(subject, subject.build(**subject.typed), gradients, params)
        same_values(actual, expected, "step", 1e-12)


def _is_the_formula(subject: Subject, formula: Callable, ours: dict, formulas: dict) -> None:
    params, gradients = _trajectory(subject)
    expected = list(formula(gradients, params, **formulas))
    with jax.enable_x64(False):
        actual = _updates(subject, subject.build(**ours), gradients, params)
        same_values(actual, expected, "step", 1e-6)


def _moving(last: float, xp):
    """From 0 towards `last`, like k/(k + 3); in NumPy or in JAX."""
    return lambda k: last * xp.asarray(k, float) / (xp.asarray(k, float) + 3)


def _trajectory(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and gradients that float32 holds, as float64. One entry rests at first."""
    draw = np.random.default_rng(0).standard_normal
    walk, gradients = draw((_STEPS, _ENTRIES)).cumsum(axis=0), draw((_STEPS, _ENTRIES))
    gradients = np.abs(gradients) if subject.takes == "magnitude" else gradients
    gradients[:_AT_REST, 0] = 0
    return walk.astype("float32").astype(float), gradients.astype("float32").astype(float)


def _updates(subject, tx, gradients, params) -> list[jax.Array]:
    """What leaves `tx`, step by step."""
    given = jnp.asarray(params, float), jnp.asarray(gradients, float)

    def body(state, now):
        update, state = subject.update(tx, now[1], state, now[0])
        return state, update

    return list(jax.lax.scan(body, tx.init(given[0][0]), given)[1])
