"""The landscapes: their minima, their curvature, and what is drawn of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lecture_optax.interactive.landscapes import LANDSCAPES, curvature_at_minimum
from lecture_optax.theory.probes.replay import float64


def corners(landscape):
    """Yield the first controls, and each end of each control."""
    first = {handle.name: handle.value for handle in landscape.controls}
    yield first
    for handle in landscape.controls:
        yield from ({**first, handle.name: end} for end in (handle.low, handle.high))


@pytest.mark.parametrize("name", LANDSCAPES)
@pytest.mark.usefixtures("standard_promotion")
class TestLandscape:
    def test_the_gradient_is_zero_at_the_minimum(self, name):
        landscape = LANDSCAPES[name]
        with float64():
            slope = jax.jit(jax.grad(landscape.loss))
            for controls in corners(landscape):
                curvature = curvature_at_minimum(landscape, controls)
                steepest = max(1.0, curvature.values[-1])
                gradient = slope(curvature.minimum, controls)
                # the data of the noisy quadratic are float32: their mean is 0 to a rounding error
                assert np.abs(gradient).max() <= np.finfo(np.float32).eps * steepest

    def test_the_minimum_is_lower_than_its_surroundings_or_a_saddle_point(self, name):
        landscape = LANDSCAPES[name]
        for controls in corners(landscape):
            flat, steep = curvature_at_minimum(landscape, controls).values
            assert steep > 0 and (flat > 0) == (landscape.lowest is None)

    def test_the_box_holds_the_start_and_the_minimum(self, name):
        landscape = LANDSCAPES[name]
        left, right, bottom, top = landscape.box
        for controls in corners(landscape):
            minimum = curvature_at_minimum(landscape, controls).minimum
            for x, y in (landscape.start, minimum):
                assert left < x < right and bottom < y < top

    def test_a_start_is_above_the_minimum(self, name):
        landscape = LANDSCAPES[name]
        for controls in corners(landscape):
            minimum = curvature_at_minimum(landscape, controls).minimum
            low = landscape.loss(jnp.float32(minimum), controls)
            assert landscape.loss(jnp.float32(landscape.start), controls) > low


@pytest.mark.parametrize("name", [name for name, x in LANDSCAPES.items() if x.is_quadratic])
def test_the_curvatures_of_a_quadratic_are_1_and_1_over_the_condition_number(name):
    for controls in corners(LANDSCAPES[name]):
        values = curvature_at_minimum(LANDSCAPES[name], controls).values
        np.testing.assert_allclose(values, [1 / controls["condition"], 1.0], atol=1e-12)


def test_the_lowest_loss_of_the_saddle_is_reached():
    saddle = LANDSCAPES["saddle"]
    assert saddle.loss(jnp.float32([0.0, 1.0]), {}) == saddle.lowest
