"""The best rates and momenta on a quadratic, against the contraction of the optimizer itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.theory import contraction

SMOOTHNESS, CONVEXITY = 4.0, 0.04
CURVATURES = np.linspace(CONVEXITY, SMOOTHNESS, 400)
ROOT = (SMOOTHNESS / CONVEXITY) ** 0.5


def slowest(learning_rate, momentum, nesterov=False):
    """The contraction of a step on the worst curvature between μ and L."""
    return contraction(lo.sgd(learning_rate, momentum, nesterov=nesterov), CURVATURES).max()


def test_polyaks_heavy_ball_contracts_by_what_no_method_surpasses():
    tuning = lo.polyak_tuning(SMOOTHNESS, CONVEXITY)
    assert slowest(*tuning) == pytest.approx((ROOT - 1) / (ROOT + 1), abs=1e-7)


def test_the_best_nesterov_contracts_by_1_minus_2_over_s():
    tuning = lo.nesterov_tuning(SMOOTHNESS, CONVEXITY)
    expected = 1 - 2 / (3 * SMOOTHNESS / CONVEXITY + 1) ** 0.5
    assert slowest(*tuning, nesterov=True) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    "tune, nesterov", [(lo.polyak_tuning, False), (lo.nesterov_tuning, True)], ids=["heavy", "nag"]
)
def test_every_other_rate_and_momentum_contracts_less(tune, nesterov):
    best = tune(SMOOTHNESS, CONVEXITY)
    least = slowest(*best, nesterov=nesterov)
    for τ, μ in ((1.02, 1), (0.98, 1), (1, 1.02), (1, 0.98)):
        other = slowest(best.learning_rate * τ, best.momentum * μ, nesterov=nesterov)
        assert other > least + 1e-4


def test_curvatures_may_be_traced():
    tuned = jax.jit(lo.polyak_tuning)(jnp.float32(9.0), jnp.float32(1.0))
    np.testing.assert_allclose(tuned, lo.polyak_tuning(9.0, 1.0), rtol=1e-6)


def test_a_smallest_curvature_above_the_largest_is_refused():
    with pytest.raises(ValueError, match="strong_convexity must be at most smoothness, got 2"):
        lo.nesterov_tuning(1.0, 2.0)
