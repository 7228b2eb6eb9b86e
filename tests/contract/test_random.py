"""Laws and identities on random trees, with random optimizers and hyperparameters."""

import functools
import math
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings, strategies as st

import lecture_optax as lo
from lecture_optax.testing import CONTRACT

from .strategies import decays, makes, numbers_for, of_other_dtype, rates, trees

few = settings(max_examples=20)
SEEDS = st.integers(0, 99)


@few
@given(makes, trees, st.integers(0, 2))
def test_a_step_on_any_tree_keeps_structure_shapes_and_dtypes(make, params, shift):
    tx = make()
    gradients = of_other_dtype(params, shift)
    state = jax.eval_shape(tx.init, params)
    updates, after = jax.eval_shape(tx.update, gradients, state, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
    chex.assert_trees_all_equal_structs(updates, gradients)
    for update, p, g in zip(*map(jax.tree.leaves, (updates, params, gradients)), strict=True):
        with jax.numpy_dtype_promotion("standard"):
            assert update.dtype == jnp.promote_types(p.dtype, g.dtype)
    for leaf in jax.tree.leaves(state):
        assert leaf.dtype in (jnp.float32, jnp.int32)


@few
@given(makes, trees, SEEDS)
def test_a_leaf_does_not_see_the_rest_of_its_tree(make, tree, seed):
    tx = make()
    params, gradients = (numbers_for(tree, seed + i, "float32") for i in (0, 1))
    together, _ = tx.update(gradients, tx.init(params), params)
    alone = jax.tree.map(lambda g, p: tx.update(g, tx.init(p), p)[0], gradients, params)
    chex.assert_trees_all_equal(together, alone)


@few
@given(makes, decays, SEEDS)
def test_a_chain_is_composition(make, decay, seed):
    tx = make()
    first, gradient = lo.trace(decay), numbers_for(jnp.zeros(3), seed)
    both, after = lo.chain(first, tx), first.init(gradient)
    state = both.init(gradient)
    inner_state = tx.init(gradient)
    for _ in range(2):
        update, state = both.update(gradient, state, gradient)
        inner, after = first.update(gradient, after, gradient)
        expected, inner_state = tx.update(inner, inner_state, gradient)
        chex.assert_trees_all_equal((update, state), (expected, (after, inner_state)))


@jax.jit
def adam_run(rate, b1, b2, gradients):
    tx = lo.adam(rate, b1, b2)
    return jax.lax.scan(lambda s, g: tx.update(g, s)[::-1], tx.init(gradients[0]), gradients)


@few
@given(st.lists(rates, min_size=3, max_size=3), decays, decays, SEEDS)
def test_vmap_over_random_rates_is_a_loop(rates, b1, b2, seed):
    gradients = numbers_for(jnp.zeros((4, 3)), seed)
    together = jax.vmap(adam_run, (0, None, None, None))(jnp.float32(rates), b1, b2, gradients)
    for i, rate in enumerate(rates):
        mine = jax.tree.map(lambda x, i=i: x[i], together)
        alone = adam_run(rate, b1, b2, gradients)
        chex.assert_trees_all_close(mine, alone, rtol=1e-5, atol=1e-7)


@few
@given(decays, st.integers(1, 10**6), st.floats(-1e3, 1e3, allow_subnormal=False))
def test_a_corrected_average_of_a_constant_is_the_constant(decay, steps, constant):
    average = constant * -math.expm1(steps * math.log(decay)) if decay > 0 else constant
    tx = lo.bias_correction(decay)
    state = optax.tree.set(tx.init(jnp.zeros(())), count=jnp.int32(steps - 1))
    update, _ = tx.update(jnp.float32(average), state)
    np.testing.assert_allclose(update, constant, rtol=1e-6, atol=1e-30)


@few
@given(makes, st.integers(0, 4), SEEDS)
def test_a_run_goes_on_from_any_step(make, k, seed):
    tx = make()
    gradients = numbers_for(jnp.zeros((5, 2)), seed)
    saved, state = None, tx.init(gradients[0])
    for i, gradient in enumerate(gradients):
        if i == k:
            saved = jax.tree.map(np.array, state)
        _, state = tx.update(gradient, state, gradient)
    for gradient in gradients[k:]:
        _, saved = tx.update(gradient, saved, gradient)
    chex.assert_trees_all_equal(saved, state)


@few
@given(st.floats().filter(lambda x: not 0 <= x < 1))
def test_whatever_is_no_decay_is_refused_by_name(value):
    for name, build in {
        "decay": lo.trace,
        "momentum": lambda x: lo.sgd(0.1, momentum=x),
        "b1": lambda x: lo.adam(0.1, b1=x),
        "b2": lambda x: lo.amsgrad(0.1, b2=x),
    }.items():
        with pytest.raises(ValueError, match=re.escape(f"{name} must be in [0, 1), got {value!r}")):
            build(value)


@functools.cache
def compiled(row):
    subject = CONTRACT[row]
    return jax.jit(lambda values, *given: subject.update(subject.build(**values), *given))


@settings(max_examples=60)
@given(st.sampled_from([row for row in CONTRACT if CONTRACT[row].reference]), st.data())
def test_in_float64_every_row_is_its_formula_at_random_hyperparameters(row, data):
    subject = CONTRACT[row]
    values = {
        name: data.draw(st.floats(h.bounds[0], h.value, allow_subnormal=False), label=name)
        for name, h in subject.hyperparameters.items()
    }
    draw = np.random.default_rng(0).standard_normal
    params, gradients = draw((6, 3)), draw((6, 3))
    gradients = np.abs(gradients) if subject.takes == "magnitude" else gradients
    expected = subject.reference(gradients, params, **values)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        state = subject.build(**values).init(jnp.asarray(params[0]))
        traced = {name: jnp.float64(value) for name, value in values.items()}
        for k in range(6):
            update, state = compiled(row)(traced, gradients[k], state, params[k])
            np.testing.assert_allclose(update, expected[k], rtol=1e-9, atol=1e-12)
