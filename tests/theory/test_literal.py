"""The slides, word for word: our transformations against the formula in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.testing import references
from lecture_optax.theory import literal

from ..runs import updates_for

GRADIENTS = np.random.default_rng(0).standard_normal((60, 4))
ADAM = {"learning_rate": 0.5, "b1": 0.9, "b2": 0.99, "eps": 1e-3}
MEANT = {"minus": False, "from_zero": False, "fed_back": False, "eps_inside": False}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "make, word",
    [
        (literal.adam_minus, "minus"),
        (literal.adam_fed_back, "fed_back"),
        (literal.adam_from_zero, "from_zero"),
        (literal.adam_eps_inside, "eps_inside"),
    ],
)
def test_adam_with_one_word_of_the_slide_is_the_formula_with_that_word(make, word):
    expected = references.literal_adam(GRADIENTS, **ADAM, **{**MEANT, word: True})
    updates = updates_for(make(**ADAM), jnp.asarray(GRADIENTS))
    np.testing.assert_allclose(updates, expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("x64")
def test_the_rate_inside_the_velocity_is_the_slides_recursion():
    rate = lo.schedules.inverse_time(1.0)
    expected = references.slide_nesterov(GRADIENTS, learning_rate=rate, decay=0.9)
    updates = updates_for(literal.nesterov_rate_inside(rate), jnp.asarray(GRADIENTS))
    np.testing.assert_allclose(updates, expected, rtol=0, atol=1e-13)


@pytest.mark.usefixtures("x64")
def test_one_momentum_for_both_is_nesterov_only_while_it_does_not_move():
    moving = lo.schedules.momentum_nesterov()
    for momentum, equal in ((lo.schedules.constant(0.9), True), (moving, False)):
        read = updates_for(literal.nesterov_one_momentum(0.5, momentum), jnp.asarray(GRADIENTS))
        meant = updates_for(lo.sgd(0.5, momentum, nesterov=True), jnp.asarray(GRADIENTS))
        assert np.allclose(read, meant, rtol=0, atol=1e-12) == equal


@pytest.mark.parametrize("name", [name for name in vars(literal) if name.startswith("adam_")])
def test_the_readings_of_adam_run_in_bfloat16_too(name):
    tx, θ = getattr(literal, name)(0.1), jnp.ones(3, jnp.bfloat16)
    update, state = jax.jit(tx.update)(θ, tx.init(θ), θ)
    assert update.dtype == jnp.bfloat16
    assert jax.tree.structure(state) == jax.tree.structure(tx.init(θ))
