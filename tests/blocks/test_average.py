"""The average of the iterates: the slide-by-slide sum, in every loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from ..runs import iterates_of

START = jnp.array([4.0, -2.0, 1.0])


def expected(path, eta):
    """a(k) = a(k-1) + (1 + η)/(k + η) (θ(k) - a(k-1)), in float64."""
    a = np.zeros_like(path[0], np.float64)
    for k, θ in enumerate(np.asarray(path, np.float64), start=1):
        a += (1 + eta) / (k + eta) * (θ - a)
    return a


def curved(θ):
    return jnp.array([1.0, 0.3, 2.0], θ.dtype) * θ


@pytest.mark.parametrize("eta", [0.0, 2.0, 8.0])
@pytest.mark.parametrize("steps", [1, 2, 50])
def test_the_average_is_the_formula(eta, steps):
    tx = lo.chain(lo.sgd(0.4, 0.5), lo.average_iterates(eta))
    path, state = iterates_of(tx, START, steps, curved)
    reference = expected(path, eta)
    np.testing.assert_allclose(
        lo.averaged(state, jnp.asarray(path[-1])), reference, atol=1e-6 * np.abs(reference).max()
    )


def test_with_eta_zero_it_is_the_mean_of_all_iterates():
    tx = lo.chain(lo.adam(0.1), lo.average_iterates(0.0))
    path, state = iterates_of(tx, START, 40, curved)
    np.testing.assert_allclose(lo.averaged(state, jnp.asarray(path[-1])), path.mean(0), rtol=1e-5)


def test_the_update_passes_unchanged():
    plain, _ = iterates_of(lo.adam(0.1), START, 20, curved)
    kept, _ = iterates_of(lo.chain(lo.adam(0.1), lo.average_iterates()), START, 20, curved)
    np.testing.assert_array_equal(plain, kept)


@pytest.mark.usefixtures("standard_promotion")
def test_in_bfloat16_it_averages_the_rounded_iterates_in_float32():
    tx = lo.chain(lo.sgd(0.05), lo.average_iterates(0.0))
    path, state = iterates_of(tx, START.astype(jnp.bfloat16), 30, curved)
    now = jnp.asarray(path[-1])
    kept = optax.tree.get(state, "average")
    assert kept.dtype == jnp.float32
    np.testing.assert_allclose(kept, path[:-1].astype(np.float64).mean(0), rtol=1e-5)
    assert lo.averaged(state, now).dtype == jnp.bfloat16
    np.testing.assert_allclose(
        np.asarray(lo.averaged(state, now), np.float64), path.astype(np.float64).mean(0), rtol=5e-3
    )


@pytest.mark.usefixtures("standard_promotion")
def test_micro_steps_are_not_iterates():
    inner = lo.chain(lo.sgd(0.4), lo.average_iterates(0.0))
    path, state = iterates_of(optax.MultiSteps(inner, 3), START, 12, curved)
    np.testing.assert_allclose(
        lo.averaged(state, jnp.asarray(path[-1])), path[2::3].mean(0), rtol=1e-6
    )


def test_masked_leaves_are_read_as_they_are():
    tx = lo.chain(lo.sgd(0.4), optax.masked(lo.average_iterates(0.0), {"a": True, "b": False}))
    params = {"a": jnp.ones(2), "b": jnp.ones(3)}
    state = tx.init(params)
    for _ in range(2):
        update, state = tx.update(params, state, params)
        params = optax.apply_updates(params, update)
    averaged = lo.averaged(state, params)
    np.testing.assert_allclose(averaged["a"], (0.6 + 0.36) / 2, rtol=1e-6)
    np.testing.assert_array_equal(averaged["b"], params["b"])


def test_before_the_first_step_it_is_a_copy_of_the_parameters():
    state = lo.average_iterates().init(START)
    averaged = lo.averaged(state, START)
    np.testing.assert_array_equal(averaged, START)
    jax.jit(lambda x: x + 1, donate_argnums=0)(averaged)
    assert not START.is_deleted()


def test_it_reads_shapes_without_values():
    tx = lo.chain(lo.adam(0.1), lo.average_iterates())
    state = jax.eval_shape(tx.init, START)
    assert jax.eval_shape(lo.averaged, state, START).shape == START.shape


def test_without_parameters_it_says_how_to_call():
    tx = lo.average_iterates()
    with pytest.raises(ValueError, match=r"tx.update\(gradient, state, params\)"):
        tx.update(START, tx.init(START))


def test_a_state_without_an_average_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="average_iterates\\(\\) last in the chain"):
        lo.averaged(lo.adam(0.1).init(START), START)


def test_another_tree_is_refused():
    state = lo.average_iterates().init(START)
    with pytest.raises(ValueError, match="another tree"):
        lo.averaged(state, {"a": START})
