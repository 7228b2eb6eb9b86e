"""Law 9. Equal to the reference: the formula in float64 NumPy decides, Optax confirms under x64."""

import jax
import jax.numpy as jnp
import numpy as np

from .._law import law, same_values
from .._subject import Subject

_STEPS, _ENTRIES = 50, 7


@law(9)
def it_is_the_formula(subject: Subject) -> None:
    """In float32, fifty steps are those of the float64 formula to 1e-6 of the largest entry."""
    if subject.reference is None:
        return
    params, gradients = _trajectory(subject)
    expected = subject.reference(gradients, params, **subject.values)
    with jax.enable_x64(False):
        same_values(_updates(subject, subject.build(), gradients, params), expected, "step", 1e-6)


@law(9)
def in_float64_it_is_the_peer(subject: Subject) -> None:
    """In float64, fifty steps are those of another implementation to 1e-12 of the largest entry."""
    if subject.peer is None:
        return
    params, gradients = _trajectory(subject)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        peer = subject.peer(**subject.values)
        expected = _updates(subject, peer, gradients, params)
        same_values(_updates(subject, subject.build(), gradients, params), expected, "step", 1e-12)


def _trajectory(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and gradients that float32 holds, as float64."""
    draw = np.random.default_rng(0).standard_normal
    walk, gradients = draw((_STEPS, _ENTRIES)).cumsum(axis=0), draw((_STEPS, _ENTRIES))
    gradients = np.abs(gradients) if subject.takes == "magnitude" else gradients
    return walk.astype("float32").astype(float), gradients.astype("float32").astype(float)


def _updates(subject, tx, gradients, params) -> list[jax.Array]:
    """What leaves `tx`, step by step."""
    given = jnp.asarray(params, float), jnp.asarray(gradients, float)

    def body(state, now):
        update, state = subject.update(tx, now[1], state, now[0])
        return state, update

    return list(jax.lax.scan(body, tx.init(given[0][0]), given)[1])
