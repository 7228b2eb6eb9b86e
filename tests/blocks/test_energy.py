"""E and E_k are means over the examples that are present, on one device or on eight."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, PartitionSpec

import lecture_optax as lo

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(24, 3)).astype("float32")
TARGETS = RNG.normal(size=24).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2.0, size=24).astype("float32")
θ = jnp.array([0.5, -1.0, 2.0])


def squares(params, batch):
    x, y = batch
    return (x @ params - y) ** 2 / 2


E = lo.energy(squares)


def rows(*which):
    return jnp.asarray(INPUTS[which]), jnp.asarray(TARGETS[which])


def in_float64(params, weights):
    """Σ w ℓ / Σ w and its gradient, by NumPy."""
    x, y, p = (np.asarray(a, float) for a in (INPUTS, TARGETS, params))
    residual = x @ p - y
    total = weights.sum()
    return (weights * residual**2).sum() / 2 / total, (weights * residual) @ x / total


@pytest.mark.parametrize("compiled", [False, True])
def test_it_is_the_weighted_mean_and_so_is_its_gradient(compiled):
    both = jax.value_and_grad(partial(E, weights=WEIGHTS))
    value, gradient = (jax.jit(both) if compiled else both)(θ, rows(slice(None)))
    expected, slope = in_float64(θ, WEIGHTS.astype(float))
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5)


def test_what_is_masked_counts_nothing_whatever_its_loss():
    x, y = rows(slice(None))
    padded = x.at[16:].set(jnp.inf), y.at[16:].set(jnp.nan)
    mask = jnp.arange(24) < 16
    assert E(θ, padded, mask=mask) == E(θ, rows(slice(16)))
    assert E(θ, padded, weights=mask.astype(jnp.float32)) == E(θ, rows(slice(16)))


def test_masks_may_be_numbers_and_meet_weights():
    number, boolean = jnp.arange(24) % 2, jnp.arange(24) % 2 == 1
    batch = rows(slice(None))
    by_number = E(θ, batch, weights=WEIGHTS, mask=number)
    assert by_number == E(θ, batch, weights=WEIGHTS, mask=boolean)
    np.testing.assert_allclose(
        by_number, in_float64(θ, np.where(boolean, WEIGHTS, 0.0))[0], rtol=1e-6
    )


def test_of_nobody_the_energy_and_its_gradient_are_zero():
    value, gradient = jax.value_and_grad(E)(θ, rows(slice(None)), mask=jnp.zeros(24, bool))
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


def test_micro_batches_of_unequal_size_add_up_to_the_whole_batch():
    parts = partial(E, return_parts=True)
    cuts = [slice(0, 5), slice(5, 6), slice(6, 24)]

    def summed(of):
        return jax.tree.map(lambda *p: sum(p), *[of(cut) for cut in cuts])

    total, weight = summed(lambda cut: parts(θ, rows(cut), weights=WEIGHTS[cut]))
    gradient = summed(
        lambda cut: jax.grad(lambda p: parts(p, rows(cut), weights=WEIGHTS[cut])[0])(θ)
    )
    value, whole = jax.value_and_grad(E)(θ, rows(slice(None)), weights=WEIGHTS)
    np.testing.assert_allclose(total / weight, value, rtol=1e-6)
    np.testing.assert_allclose(gradient / weight, whole, rtol=1e-5)
    mean_of_means = np.mean([E(θ, rows(cut), weights=WEIGHTS[cut]) for cut in cuts])
    assert abs(mean_of_means - value) > 0.01 * value


def test_over_devices_both_sums_are_taken_first():
    mesh = Mesh(np.asarray(jax.devices()[:8]), "batch")
    split, whole = PartitionSpec("batch"), PartitionSpec()
    weights = jnp.asarray(np.where(np.arange(24) < 20, WEIGHTS, 0.0), jnp.float32)  # uneven

    @jax.jit
    @partial(jax.shard_map, mesh=mesh, in_specs=(whole, split, split), out_specs=(whole, whole))
    def over_eight(params, batch, weights):
        return jax.value_and_grad(E)(params, batch, weights=weights, axis_name="batch")

    actual = over_eight(θ, rows(slice(None)), weights)
    expected = jax.value_and_grad(E)(θ, rows(slice(None)), weights=weights)
    np.testing.assert_allclose(actual[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(actual[1], expected[1], rtol=1e-5)


def test_over_a_vmap_the_mean_of_the_gradients_is_the_whole_one():
    def one(batch, weights):
        value, gradient = jax.value_and_grad(E)(θ, batch, weights=weights, axis_name="part")
        return value, jax.lax.pmean(gradient, "part")

    x, y = rows(slice(None))
    batch = x.reshape(4, 6, 3), y.reshape(4, 6)
    value, gradient = jax.vmap(one, axis_name="part")(batch, WEIGHTS.reshape(4, 6))
    expected = jax.value_and_grad(E)(θ, (x, y), weights=WEIGHTS)
    np.testing.assert_allclose(value, np.full(4, expected[0]), rtol=1e-6)
    np.testing.assert_allclose(gradient, np.tile(expected[1], (4, 1)), rtol=1e-5)


def test_weights_of_sentences_spread_over_their_tokens():
    losses = jnp.asarray(RNG.uniform(size=(4, 5)), jnp.float32)
    tokens = lo.energy(lambda params, batch: batch)
    by_sentence = tokens(None, losses, weights=jnp.array([1.0, 0.0, 2.0, 0.0]))
    np.testing.assert_allclose(by_sentence, (losses[0] + 2 * losses[2]).sum() / 15, rtol=1e-6)
    by_token = tokens(None, losses, mask=losses > 0.5)
    np.testing.assert_allclose(by_token, losses[losses > 0.5].mean(), rtol=1e-6)


def test_half_precision_losses_are_summed_in_float32():
    value = lo.energy(lambda params, batch: batch)(None, jnp.ones(4099, jnp.bfloat16))
    assert value.dtype == jnp.float32
    assert value == 1


def test_further_arguments_are_handed_on():
    noisy = lo.energy(lambda params, batch, key: jax.random.normal(key, batch.shape))
    key = jax.random.key(3)
    expected = jnp.mean(jax.random.normal(key, (7,)))
    np.testing.assert_allclose(noisy(None, jnp.zeros(7), key), expected, rtol=1e-5)


def test_a_sum_trains_at_the_rate_times_the_number_of_examples():
    """The claim of the docstring: what diverges as a sum at τ is stable as a mean at τ."""
    batch = rows(slice(None))

    def after(loss, rate):
        tx, p = lo.sgd(rate), θ
        state = tx.init(p)
        for _ in range(50):
            update, state = tx.update(jax.grad(loss)(p, batch), state)
            p = optax.apply_updates(p, update)
        return p

    def summed(p, batch):
        return jnp.sum(squares(p, batch))

    np.testing.assert_allclose(after(summed, 0.3 / 24), after(E, 0.3), rtol=1e-4)
    assert not np.isfinite(after(summed, 0.3)).all()


def test_a_loss_that_is_a_mean_already_is_refused():
    with pytest.raises(ValueError, match=r"one loss per example, got a scalar"):
        lo.energy(lambda params, batch: jnp.mean(batch))(θ, jnp.ones(3))


@pytest.mark.parametrize("name", ["weights", "mask"])
@pytest.mark.parametrize("shape", [(3,), (), (24, 1)])
def test_weights_of_another_shape_are_refused(name, shape):
    with pytest.raises(ValueError, match=rf"{name} must have the shape of the losses, \(24,\)"):
        E(θ, rows(slice(None)), **{name: jnp.ones(shape)})
