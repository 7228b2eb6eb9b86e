"""Law 1. Pure and stable: a step keeps trees, shapes and dtypes, and runs in `scan` and `vmap`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from .._law import (
    entry,
    expect,
    keys,
    law,
    leaves,
    naming,
    same_avals,
    same_shapes,
    same_values,
    with_and_without_x64,
    with_other_keys,
)
from .._samples import complex_dtypes, name_of, one, paired, pairs
from .._subject import Subject


@law(1)
@with_and_without_x64
def a_step_returns_what_it_was_given(subject: Subject) -> None:
    """The state keeps tree, shapes, dtypes, weak types; the update has the gradient's tree.

    For every pair of dtypes by itself, and all of them in one tree; for complex leaves; with the
    parameters and, where the author does not say that they are needed, without.
    """
    _returns_what_it_was_given(subject, *paired(subject))
    for p, g in pairs():
        with naming(f"{name_of(p, g)}, each in a tree of its own"):
            params, gradient = (
                {
                    "w": jax.ShapeDtypeStruct((2, 3), dtype),
                    "b": jax.ShapeDtypeStruct((), dtype, weak_type=True),
                }
                for dtype in (p, g)
            )
            _returns_what_it_was_given(subject, params, [gradient])
    for dtype in complex_dtypes() if subject.takes == "gradient" else []:
        with naming(dtype), jax.numpy_dtype_promotion("standard"):
            leaf = jax.ShapeDtypeStruct((2, 3), dtype)
            _returns_what_it_was_given(subject, leaf, [leaf])


@law(1)
def a_step_is_pure(subject: Subject) -> None:
    """The same step twice gives the same bits, and does not change its inputs."""
    params, gradients = paired(subject)
    tx = subject.build()
    _, state = subject.run(tx, params, gradients[:2])
    given = jax.tree.map(jnp.array, (gradients[2], state, params))
    first = subject.update(tx, gradients[2], state, params)
    second = subject.update(tx, gradients[2], state, params)
    same_values(second, first, "the second of two equal steps")
    same_values((gradients[2], state, params), given, "what the step was given, afterwards")


@law(1)
def a_random_key_is_used_once(subject: Subject) -> None:
    """A key of random numbers in the state, if a step uses it, is another one after the step."""
    params, gradients = one(subject)
    tx = subject.build()
    state = tx.init(params)
    for gradient in gradients:
        update, after = subject.update(tx, gradient, state, params)
        for (path, before), (_, key) in zip(keys(state), keys(after), strict=True):
            if np.array_equal(before, key):
                other, _ = subject.update(tx, gradient, with_other_keys(state), params)
                same_values(other, update, f"with another key at {path}, which stays, the update")
        state = after


@law(1)
def a_step_scans_and_branches_and_vmaps(subject: Subject) -> None:
    """`lax.scan` over `lax.cond` over `vmap` of a step gives what a plain loop gives."""
    some = [("float16", "bfloat16"), ("bfloat16", "float32"), ("float32", "float16")]
    params, gradients = paired(subject, among=some)
    tx = subject.build()
    both = [jax.tree.map(lambda g: jnp.stack([g, g / 2]), gradient) for gradient in gradients]
    steps = jnp.array([True, False, True])

    def alone(gradient, state):
        return subject.update(tx, gradient, state, params)

    def body(carry, now):
        gradient, taken = now
        carry = jax.lax.cond(taken, lambda: jax.vmap(alone)(gradient, carry[1]), lambda: carry)
        return carry, None

    @jax.jit
    def scanned(gradients):
        state = jax.vmap(lambda _: tx.init(params))(jnp.arange(2))
        start = jax.tree.map(jnp.zeros_like, jax.eval_shape(jax.vmap(alone), both[0], state))
        return jax.lax.scan(body, (start[0], state), (gradients, steps))[0]

    stacked = jax.tree.map(lambda *g: jnp.stack(g), *both)
    updates, state = scanned(stacked)
    for i in range(2):
        expected, after = subject.run(tx, params, [entry(both[0], i), entry(both[2], i)])
        actual = entry((updates, state), i)
        same_values(actual, (expected[-1], after), "a scanned, vmapped step", ulps=8)


def _returns_what_it_was_given(subject, params, gradients):
    tx = subject.build()
    state = jax.eval_shape(tx.init, params)
    for given in (params,) if subject.needs_params else (params, None):
        with naming("with parameters" if given is not None else "without parameters"):
            update, after = jax.eval_shape(partial(subject.update, tx), gradients[0], state, given)
            same_avals(after, state, "the state after a step")
            for path, leaf in leaves((update, state)):
                expect(not leaf.weak_type, f"(update, state) at {path} is weakly typed")
            if subject.gives != "matrix":
                same_shapes(update, gradients[0], "the update")
