"""Law 2. Precision: compute in at least float32, round once, stay finite at zero gradients."""

import itertools

import jax
import jax.numpy as jnp
import optax

from .._law import counts, expect, finite, law, leaves, naming, same_values, with_and_without_x64
from .._samples import name_of, one, paired, pairs, still, wider
from .._subject import Subject

_LAST = 2**31 - 1
_FAR = [0, 9, 999, 10**6, 2**24 + 1, _LAST - 1]


@law(2)
@with_and_without_x64
def a_state_is_at_least_float32(subject: Subject) -> None:
    """The state of a parameter has the parameter's precision, and at least that of float32."""
    params, _ = paired(subject)
    for path, leaf in leaves(jax.eval_shape(subject.build().init, params)):
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            continue
        bits = jnp.finfo(leaf.dtype).bits
        expect(bits >= 32, f"the state at {path} is {leaf.dtype}, expected at least float32")
        for p, g in pairs():
            if f"'{name_of(p, g)}'" in path:
                expected = wider(p, "float32")
                words = f"the state at {path} is {leaf.dtype}, expected {expected}"
                expect(leaf.dtype == expected, words)


@law(2)
@with_and_without_x64
def an_update_has_the_wider_precision(subject: Subject) -> None:
    """An update is as wide as its gradient and its parameter; without one, as its gradient."""
    params, gradients = paired(subject)
    tx = subject.build()
    for given in (params,) if subject.needs_params else (params, None):
        update, _ = jax.eval_shape(
            lambda p: subject.update(tx, gradients[0], tx.init(params), p), given
        )
        for p, g in pairs():
            expected = wider(p, g) if given is not None else jnp.dtype(g)
            for path, leaf in leaves(update):
                if f"'{name_of(p, g)}'" in path:
                    without = "" if given is not None else " without parameters"
                    words = f"the update{without} at {path} is {leaf.dtype}, expected {expected}"
                    expect(leaf.dtype == expected, words)


@law(2)
def an_accumulator_has_the_dtype_it_was_told(subject: Subject) -> None:
    """An accumulator has and keeps the requested dtype, which does not change the update's."""
    params, gradients = paired(subject)
    for (argument, field), dtype in itertools.product(
        subject.accumulators.items(), (jnp.bfloat16, jnp.float32)
    ):
        told = {argument: dtype}
        plain, tx = subject.build(), subject.build(**told)
        state = jax.eval_shape(tx.init, params)
        update, after = jax.eval_shape(lambda tx=tx: subject.run(tx, params, gradients))
        expected, _ = jax.eval_shape(lambda tx=plain: subject.run(tx, params, gradients))
        same = jax.tree.map(lambda u, v: u.dtype == v.dtype, update, expected)
        expect(all(jax.tree.leaves(same)), f"{told} changed the dtype of an update: {update}")
        for path, leaf in leaves((state, after)):
            if f".{field}[" in path:
                expect(leaf.dtype == dtype, f"with {told}, the state at {path} is {leaf.dtype}")


@law(2)
def half_precision_is_float32_rounded_once(subject: Subject) -> None:
    """A step in float16 or bfloat16 is the float32 step, rounded once at the end, bit by bit."""
    params, gradients = paired(subject, far=True)
    wide_params, wide_gradients = paired(subject, far=True, like="float32")
    tx = subject.build()
    updates, _ = subject.run(tx, params, gradients)
    expected, _ = subject.run(tx, wide_params, wide_gradients)
    for update, wide in zip(updates, expected, strict=True):
        rounded = jax.tree.map(lambda u, w: jnp.asarray(w, u.dtype), update, wide)
        same_values(update, rounded, "the update")


@law(2)
@with_and_without_x64
def a_zero_gradient_gives_a_finite_update(subject: Subject) -> None:
    """A zero gradient gives a finite update in every dtype, first and later, ε = 0 included."""
    params, gradients = paired(subject)
    for values in ({}, subject.lowest):
        with naming(f"with {values or 'the values to try'}"):
            updates, _ = subject.run(subject.build(**values), params, still(gradients))
            finite(updates, "the updates")


@law(2)
def a_zero_gradient_makes_no_nan_on_the_way(subject: Subject) -> None:
    """A step at a zero gradient, ε = 0 included, passes under `jax_debug_nans`."""
    params, gradients = one(subject)
    for values in ({}, subject.lowest):
        with naming(f"with {values or 'the values to try'}"), jax.debug_nans(True):
            subject.run(subject.build(**values), params, still(gradients))


@law(2)
def the_derivative_at_a_zero_gradient_is_finite(subject: Subject) -> None:
    """d(update)/d(gradient) is finite at a zero gradient, through several steps, ε = 0 included.

    In float32 and bfloat16; what is finite there may leave the range of float16.
    """
    alike = [("float32", "float32"), ("bfloat16", "bfloat16")]
    params, gradients = paired(subject, among=alike)
    for values in ({}, subject.lowest):
        tx = subject.build(**values)

        def total(gradients, tx=tx):
            updates, _ = subject.run(tx, params, gradients)
            return sum(jnp.sum(jnp.asarray(u, jnp.float32)) for u in jax.tree.leaves(updates))

        with naming(f"with {values or 'the values to try'}"):
            finite(jax.grad(total)(still(gradients)), "the derivative")


@law(2)
def the_number_of_steps_is_exact(subject: Subject) -> None:
    """After any number of steps a float32 step is that in float64, for β up to 0.9999.

    Counters stop at the largest number they hold; a wrapped one would start again at -2³¹.
    """
    slow = {name: 0.9999 for name, h in subject.hyperparameters.items() if h.bounds == (0, 1)}
    tx = subject.build(**slow)
    params, gradients = one(subject)
    _, state = subject.run(tx, params, gradients[:2])
    if not counts(state):
        return
    for count in _FAR:
        update, after = subject.update(tx, gradients[2], _at(state, count), params)
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            wide = jax.tree.map(_widest, (gradients[2], _at(state, count), params))
            expected, _ = subject.update(tx, *wide)
        same_values(update, expected, f"the update after {count} steps", 1e-6)
        for path, k in counts(after):
            expect(k == count + 1, f"the count at {path} went from {count} to {k}")
    update, after = subject.update(tx, gradients[2], _at(state, _LAST), params)
    finite(update, "the update at the last count")
    for path, k in counts(after):
        expect(k == _LAST, f"the count at {path} wrapped from {_LAST} to {k}")


def _at(state, count):
    """Return the state with its counters set to `count`."""
    return optax.tree.set(state, count=jnp.int32(count))


def _widest(x):
    return jnp.asarray(x, jnp.float64) if jnp.issubdtype(x.dtype, jnp.inexact) else x
