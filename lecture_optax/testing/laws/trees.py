"""Law 6. Any tree: empty, nested, scalar, complex; leaves without gradient are refused by path."""

import jax
import jax.numpy as jnp

from .._law import expect, finite, law, leaves, naming, same_avals, same_shapes, same_values
from .._samples import one, still
from .._subject import Subject


@law(6)
def any_tree_is_a_tree_of_parameters(subject: Subject) -> None:
    """Trees may be empty, nested or a bare leaf, with scalars, empty arrays and `None` in both."""
    leaf = jnp.array([0.5, 1.25])
    trees = {
        "an empty dict": {},
        "an empty tuple": (),
        "None in both trees": {"w": leaf, "b": None},
        "scalars": {"w": jnp.float32(0.5), "v": 0.5},
        "an empty array": {"w": jnp.zeros((0,)), "v": jnp.zeros((2, 0, 3))},
        "nested containers": {"a": [leaf, (leaf, {})], "b": {"c": jnp.ones((2, 1, 2))}},
        "a bare leaf": leaf,
    }
    tx = subject.build()
    for name, params in trees.items():
        with naming(f"for {name}"):
            updates, state = subject.run(tx, params, [params, params])
            finite(updates, "the updates")
            same_avals(state, jax.eval_shape(tx.init, params), "the state")
            if subject.gives != "matrix":
                same_shapes(updates, [params, params], "the updates")


@law(6)
def a_complex_leaf_follows_the_conjugate(subject: Subject) -> None:
    """A conjugate gradient gives the conjugate update, a real one the update of a real leaf.

    Optax's convention: the step goes along the gradient it is given, which for JAX's derivative of
    a real function is the conjugate one. A magnitude is real.
    """
    real_params, real_gradients = one(subject)
    params, turn = jnp.asarray(real_params, jnp.complex64), jnp.complex64(1 + 2j)
    tx = subject.build()
    with jax.numpy_dtype_promotion("standard"):
        if subject.takes == "gradient":
            turned = [g * turn for g in real_gradients]
            along, _ = subject.run(tx, params, turned)
            mirrored, _ = subject.run(tx, params, [g.conj() for g in turned])
            same_values(along, [u.conj() for u in mirrored], "an update", ulps=16)
            real_gradients = [g + 0j for g in real_gradients]
        updates, state = subject.run(tx, params, real_gradients)
        expected, _ = subject.run(tx, real_params, [g.real for g in real_gradients])
        same_values(updates, expected, "an update along the real axis", ulps=16)
        same_avals(state, jax.eval_shape(tx.init, params), "the state")
        for path, update in leaves(updates):
            is_real = not jnp.iscomplexobj(update)
            expect(is_real == (subject.gives == "magnitude"), f"{path} is {update.dtype}")


@law(6)
def a_turned_gradient_gives_a_turned_update(subject: Subject) -> None:
    """Rotating parameters and gradients in the complex plane rotates the update.

    Real and imaginary part are two axes like any others; a magnitude or a matrix D stays.
    """
    if subject.takes == "magnitude":
        return
    tx, (params, gradients) = subject.build(), one(subject)
    turn = jnp.complex64(0.6 + 0.8j)
    with jax.numpy_dtype_promotion("standard"):
        plain = [x + 1j * x[::-1] for x in (params, *gradients)]
        turned = [x * turn for x in plain]
        expected, _ = subject.run(tx, plain[0], plain[1:])
        actual, _ = subject.run(tx, turned[0], turned[1:])
        if subject.gives == "update":
            expected = [u * turn for u in expected]
        same_values(actual, expected, "an update, turned", ulps=16)


@law(6)
def a_complex_zero_is_safe(subject: Subject) -> None:
    """At a complex zero the update and its derivative by the gradient are finite too."""
    params, gradients = one(subject, "complex64")
    gradients = [g.real for g in gradients] if subject.takes == "magnitude" else gradients
    for values in ({}, subject.lowest):
        tx = subject.build(**values)

        def total(gradients, tx=tx):
            updates, _ = subject.run(tx, params, gradients)
            return sum(jnp.sum(u.real + u.imag) for u in jax.tree.leaves(updates))

        with naming(f"with {values or 'the values to try'}"), jax.numpy_dtype_promotion("standard"):
            finite(subject.run(tx, params, still(gradients)), "a step")
            finite(jax.grad(total)(still(gradients)), "the derivative")


@law(6)
def a_leaf_without_gradient_is_refused_by_path(subject: Subject) -> None:
    """`init` raises a `TypeError` with path and dtype for an integer, a counter or a mask."""
    tx = subject.build()
    for dtype in (jnp.int32, jnp.uint8, jnp.bool_):
        params = {"w": jnp.ones(2), "inside": [jnp.ones(2), jnp.zeros(2, dtype)]}
        words = _refusal(TypeError, lambda params=params: tx.init(params))
        for part in ("['inside'][1]", jnp.dtype(dtype).name):
            expect(part in words, f"the refusal of {dtype} does not say {part}: {words!r}")


@law(6)
def a_missing_gradient_is_refused_by_path(subject: Subject) -> None:
    """None for a gradient but not its parameter raises a `ValueError` with its path."""
    params = {"w": jnp.ones(2), "inside": [jnp.ones(2), jnp.ones(3)]}
    missing = {"w": jnp.ones(2), "inside": [jnp.ones(2), None]}
    tx = subject.build()
    state = tx.init(params)
    words = _refusal(ValueError, lambda: subject.update(tx, missing, state, params))
    for part in ("gradient", "['inside'][1]"):
        expect(part in words, f"the refusal does not say {part}: {words!r}")


def _refusal(kind, attempt) -> str:
    try:
        attempt()
    except kind as error:
        return str(error)
    raise AssertionError(f"it was accepted, expected a {kind.__name__}")
