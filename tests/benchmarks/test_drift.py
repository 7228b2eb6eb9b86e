"""The fit of how the best learning rate decreases with time."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.regret.drift import FRACTIONS, POWERS, costs
from lecture_optax.recipe.constants import DECADE, USUAL


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5])
def test_the_power_of_made_up_curves_costs_the_least(power):
    marks = np.array([*(100 * f for f in FRACTIONS), 100])

    def of(arm):
        best = USUAL + DECADE * power * np.log10(100 / marks)  # at every mark
        return SimpleNamespace(averaged=0.01 * (arm.quarter_decades - best) ** 2 - 1)

    found = costs(SimpleNamespace(steps=100, marks=marks, of=of))
    assert POWERS[found.argmin()] == pytest.approx(power, abs=0.051)
