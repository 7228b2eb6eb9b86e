"""Nesterov's momenta: the sequence of his t without its recursion, and the constant one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax._nesterov_sequence import nesterov_sequence

STEPS = 20_000


@pytest.fixture(scope="module")
def recursion():
    """t(0), t(1), ... step by step, in long doubles."""
    t = np.ones(STEPS + 1, np.longdouble)
    for k in range(STEPS):
        t[k + 1] = (1 + np.sqrt(1 + 4 * t[k] ** 2)) / 2
    return t


@pytest.mark.usefixtures("x64")
def test_the_momentum_of_t_is_the_recursions_to_the_last_digits(recursion):
    actual = lo.schedules.momentum_fista()(jnp.arange(STEPS))
    expected = (recursion[:-1] - 1) / recursion[1:]
    np.testing.assert_allclose(actual, expected.astype(float), rtol=0, atol=4e-16)


@pytest.mark.usefixtures("x64")
def test_t_itself_goes_on_beyond_the_table(recursion):
    t = nesterov_sequence(jnp.arange(STEPS + 1))
    np.testing.assert_allclose(t, recursion.astype(float), rtol=1e-14)
    far = nesterov_sequence(jnp.array([2**30, 2**30 + 1]))
    np.testing.assert_allclose(far[1], (1 + jnp.sqrt(1 + 4 * far[0] ** 2)) / 2, rtol=1e-15)


def test_in_float32_it_has_the_digits_of_float32(recursion):
    actual = lo.schedules.momentum_fista()(jnp.arange(STEPS))
    expected = (recursion[:-1] - 1) / recursion[1:]
    np.testing.assert_allclose(actual, expected.astype(float), rtol=0, atol=2e-7)


def test_a_scan_a_vmap_and_a_loop_see_the_same_momentum():
    momentum = lo.schedules.momentum_fista()
    k = jnp.arange(1015, 1035)  # from the table to beyond it
    looped = [float(momentum(int(i))) for i in k]
    np.testing.assert_allclose(jax.vmap(momentum)(k), looped, rtol=2e-7)
    scanned = jax.lax.scan(lambda i, _: (i + 1, momentum(i)), k[0], length=20)[1]
    np.testing.assert_allclose(scanned, looped, rtol=2e-7)


@pytest.mark.parametrize("kappa, momentum", [(1.0, 0.0), (4.0, 1 / 3), (100.0, 9 / 11)])
def test_the_constant_momentum_is_that_of_the_condition_number(kappa, momentum):
    schedule = lo.schedules.momentum_constant(kappa)
    np.testing.assert_allclose([schedule(0), schedule(10**6)], momentum, rtol=1e-6)
    assert schedule.horizon == 0


def test_many_condition_numbers_are_one_computation():
    kappas = jnp.array([1.0, 9.0, 25.0])
    momenta = jax.vmap(lambda kappa: lo.schedules.momentum_constant(kappa)(3))(kappas)
    np.testing.assert_allclose(momenta, [0.0, 0.5, 2 / 3], rtol=1e-6)


def test_a_condition_number_below_1_is_refused():
    with pytest.raises(ValueError, match=r"condition_number must be .* >= 1, got 0.5"):
        lo.schedules.momentum_constant(0.5)
