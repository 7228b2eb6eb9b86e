"""The formulas in NumPy: what the slide says word for word, and what our code makes of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.testing import references

from ..runs import updates_for

ADAM = {"learning_rate": 0.5, "b1": 0.9, "b2": 0.999, "eps": 1e-8}
MEANT = {"minus": False, "from_zero": False, "fed_back": False, "eps_inside": False}
GRADIENTS = np.random.default_rng(0).standard_normal((60, 4))


def literally(word, gradients=GRADIENTS, **adam):
    """Adam with one word of the slide, and otherwise as it is meant."""
    return references.literal_adam(gradients, **{**ADAM, **adam, **MEANT, word: True})


def test_without_the_words_of_the_slide_it_is_adam():
    meant = references.literal_adam(GRADIENTS, **ADAM, **MEANT)
    np.testing.assert_allclose(meant, references.adam(GRADIENTS, **ADAM), rtol=1e-14)


def test_read_whole_the_slide_divides_by_zero_at_once():
    assert np.isnan(references.literal_adam(GRADIENTS, **ADAM)[0]).all()


def test_the_minus_sign_walks_uphill():
    uphill = -references.adam(GRADIENTS, **ADAM)
    np.testing.assert_allclose(literally("minus"), uphill, rtol=1e-12)


def test_the_exponent_k_of_the_first_step_is_not_a_number():
    assert np.isnan(literally("from_zero")[0]).all()


def test_a_correction_that_is_fed_back_stops_all_motion():
    updates = literally("fed_back", np.ones((400, 1)))
    assert abs(updates[0, 0]) > 0.49
    assert abs(updates[330:]).max() == 0.0  # c has overflowed, in float64


@pytest.mark.parametrize("gradient, part", [(1e-3, 0.99504), (1e-4, 0.7071), (1e-5, 0.0995)])
def test_inside_the_root_a_small_epsilon_is_a_large_one(gradient, part):
    step = literally("eps_inside", np.full((1, 1), gradient), learning_rate=1.0)
    np.testing.assert_allclose(-step, part, rtol=1e-4)


@pytest.mark.usefixtures("x64")
def test_epsilon_inside_the_root_is_our_eps_root():
    tx = lo.adam(0.5, eps=0.0, eps_root=1e-8)
    updates = updates_for(tx, jnp.asarray(1e-4 * GRADIENTS))
    np.testing.assert_allclose(updates, literally("eps_inside", 1e-4 * GRADIENTS), rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_the_slides_order_of_rate_and_velocity_is_a_chain_of_ours():
    def falling(k):
        return 1 / (1 + jnp.asarray(k, float))

    tx = lo.chain(lo.scale_by_learning_rate(falling), lo.nesterov_trace(0.9))
    slide = references.slide_nesterov(GRADIENTS, learning_rate=falling, decay=0.9)
    np.testing.assert_allclose(updates_for(tx, jnp.asarray(GRADIENTS)), slide, atol=1e-13)
    outside = references.sgd(GRADIENTS, learning_rate=falling, momentum=0.9, nesterov=True)
    assert abs(slide - outside)[5:].max() > 0.1


def test_for_a_constant_rate_the_order_does_not_matter():
    slide = references.slide_nesterov(GRADIENTS, learning_rate=0.5, decay=0.9)
    outside = references.sgd(GRADIENTS, learning_rate=0.5, momentum=0.9, nesterov=True)
    np.testing.assert_allclose(slide, outside, rtol=1e-12)


def test_a_variance_far_below_the_squared_mean_keeps_its_digits():
    gradients = (1 + 2.0**-12 * GRADIENTS).astype("float32").astype(float)
    expected = references.variance(gradients, decay=0.9, bias_correction=True)
    tx = lo.variance(0.9, bias_correction=True)
    with jax.enable_x64(False):
        actual = updates_for(tx, jnp.float32(gradients))
    np.testing.assert_allclose(actual[10:], expected[10:], rtol=1e-3)
