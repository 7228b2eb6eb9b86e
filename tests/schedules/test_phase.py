"""Which part of a phase is over: exact where it is small, at every step there is."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given

from lecture_optax.schedules._phase import between, half_cosine, power, progress, rounded_off

from .numbers import rates, steps

LAST = 2**31 - 1
counts = steps(0, LAST)


@jax.jit
def part_of(k, start, end):
    return progress(k, start, end)


@given(k=counts, one=counts, other=counts)
def test_done_and_left_are_parts_of_the_whole(k, one, other):
    start, end = sorted([one, other])
    done, left = map(float, part_of(k, start, end))
    assert 0 <= done <= 1 and 0 <= left <= 1
    if k >= end:
        assert (done, left) == (1, 0)
    elif k <= start:
        assert (done, left) == (0, 1) or (done == 0 and left > 1 - 2**-22)
    else:
        np.testing.assert_allclose(done, (k - start) / (end - start), rtol=3e-7)
        np.testing.assert_allclose(left, (end - k) / (end - start), rtol=3e-7)


@given(first=rates, last=rates, k=steps(0, 60))
def test_what_lies_between_lies_between_also_along_a_cosine(first, last, k):
    for part in (part_of(k, 0, 60), half_cosine(part_of(k, 0, 60))):
        value = between(first, last, part)
        assert min(first, last) <= value <= max(first, last)
        assert value == first or k > 0
        assert value == last or k < 60


def test_what_a_number_loses_in_float32_is_not_lost_in_its_powers():
    for base in (0.9, 0.999, 0.9999999, 1.0001, 0.5):
        exponent = jnp.float32(1 / abs(np.log(base)))  # the power is e or 1/e
        expected = np.exp(np.longdouble(exponent) * np.log(np.longdouble(base)))
        np.testing.assert_allclose(
            power(base, rounded_off(base), exponent), float(expected), rtol=3e-7
        )
    assert rounded_off(0.5) == rounded_off(np.float32(0.1)) == 0
