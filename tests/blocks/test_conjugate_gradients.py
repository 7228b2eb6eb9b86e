"""Newton's D from products with H: when the steps end, and what raises δ."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo

N = 12
V = np.random.default_rng(1).standard_normal(N)
TURN, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((N, N)))
CONVEX = (TURN * np.geomspace(0.1, 10, N)) @ TURN.T
SADDLE = (TURN * np.linspace(-3, 8, N)) @ TURN.T


@jax.jit
def solved(h, v, damping=0.0, tolerance=0.0, max_steps=1000):
    """What newton makes of v on the loss θᵀhθ/2, and its state."""
    tx = lo.newton(damping, iterative_above=0, tolerance=tolerance, max_steps=max_steps)
    return tx.update(v, tx.init(v), v, value_fn=lambda θ: θ @ h @ θ / 2)


def left(h, x, v=V):
    return np.linalg.norm(h @ x - v) / np.linalg.norm(v)


@pytest.mark.usefixtures("x64")
def test_a_tolerance_ends_it_early_and_is_kept():
    _, exact = solved(CONVEX, V)
    x, rough = solved(CONVEX, V, 0.0, 1e-2)
    assert rough.steps < exact.steps and rough.residual == 0
    assert 1e-4 < left(CONVEX, x) <= 1e-2


@pytest.mark.usefixtures("x64")
def test_the_limit_ends_it_early_and_the_state_tells_what_is_left():
    x, state = solved(CONVEX, V, max_steps=3)
    assert state.steps == 3
    np.testing.assert_allclose(state.residual, left(CONVEX, x), rtol=1e-10)


@pytest.mark.usefixtures("x64")
def test_it_takes_as_many_steps_as_there_are_curvatures():
    three = (TURN * np.repeat([1.0, 2.0, 5.0], 4)) @ TURN.T
    assert solved(three, V, 0.0, 1e-12)[1].steps == 3


@pytest.mark.usefixtures("x64")
def test_a_damping_that_is_enough_is_not_raised():
    x, state = solved(SADDLE, V, 3.5)
    assert state.shift == 3.5 and state.curvature < 0
    assert left(SADDLE + 3.5 * np.eye(N), x) < 1e-13


@pytest.mark.usefixtures("x64")
def test_a_damping_that_is_not_enough_is_raised():
    x, state = solved(SADDLE, V, 0.5)
    assert 3 < state.shift <= 6 + 1e-12  # the smallest eigenvalue is -3
    assert left(SADDLE + state.shift * np.eye(N), x) < 1e-13


@pytest.mark.usefixtures("x64")
def test_negative_directions_that_v_does_not_lead_to_are_not_seen():
    h = np.diag([-3.0] + [2.0] * (N - 1))
    v = np.array([0.0] + [1.0] * (N - 1))
    x, state = solved(h, v)
    np.testing.assert_allclose(x, v / 2, rtol=1e-14)
    assert state.shift == 0 and state.curvature == 2


def test_raising_the_shift_is_not_all_that_a_step_does():
    x, state = solved(-jnp.eye(N), jnp.float32(V), max_steps=1)
    np.testing.assert_allclose(x, V, rtol=1e-6)
    assert state.shift == 2 and state.steps == 2


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_what_is_no_number_ends_it_and_is_seen(broken):
    h, v = jnp.float32(SADDLE), jnp.float32(V)
    assert jnp.isnan(solved(h.at[3, 4].set(broken), v)[0]).any()
    assert jnp.isnan(solved(h, v.at[3].set(broken))[0]).any()


def test_a_vmap_over_losses_is_separate_runs():
    hs, v = jnp.float32([CONVEX, SADDLE]), jnp.float32(V)
    together = jax.vmap(partial(solved, v=v))(hs)
    for i, h in enumerate(hs):
        x, state = solved(h, v)
        np.testing.assert_allclose(together[0][i], x, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(together[1].shift[i], state.shift, rtol=1e-5)
