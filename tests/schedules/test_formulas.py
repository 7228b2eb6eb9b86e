"""Every schedule is the formula of its docstring, at every step, as exactly as its dtype allows."""

import numpy as np
import pytest

from .cases import CASES


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_in_float64_it_is_the_formula(case, x64):
    values = case.build()(case.steps)
    assert values.dtype == "float64"
    np.testing.assert_allclose(values, case.formula(case.steps), rtol=4e-15, atol=1e-300)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_in_float32_it_is_the_formula(case):
    values = case.build()(case.steps)
    assert values.dtype == "float32"
    np.testing.assert_allclose(values, case.formula(case.steps), rtol=6e-7, atol=1e-37)
