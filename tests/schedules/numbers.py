"""What Hypothesis draws: rates that float32 holds, and numbers of steps."""

import numpy as np
from hypothesis import strategies as st

rates = st.one_of(st.just(0.0), st.floats(2**-20, 8.0, width=32))
positive_rates = st.floats(2**-20, 8.0, width=32)


def steps(least, most):
    """Whole numbers, small ones and the ends among them."""
    return st.one_of(st.integers(least, most), st.sampled_from([least, most]))


def falls(values):
    """Whether no value is above the one before."""
    return bool((np.diff(values) <= 0).all())


def climbs(values):
    """Whether no value is below the one before."""
    return bool((np.diff(values) >= 0).all())
