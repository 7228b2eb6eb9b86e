"""Sections on dtypes, the state, a zero gradient and a NaN, on methods whose answers are known."""

import optax
import pytest

import lecture_optax as lo
from lecture_optax.testing.certification.candidate import candidate_of, ordinary_session
from lecture_optax.testing.certification.sections import SECTIONS


def measured(name, make):
    section = SECTIONS[name]
    with ordinary_session():
        numbers = section.measure(candidate_of(make))
    return numbers, " ".join(section.lines(numbers))


def test_dtypes_of_adam():
    ours, _ = measured("dtypes", lo.adam)
    theirs, words = measured("dtypes", optax.adam)
    assert all(
        x["runs"] and x["state_is_stable"] and x["finite"] is not False for x in ours["pairs"]
    )
    by_pair = {(x["params"], x["gradients"]): x for x in theirs["pairs"]}
    assert not by_pair["bfloat16", "float32"]["state_is_stable"]
    assert by_pair["float32", "bfloat16"]["state_is_stable"]
    assert "changes the dtypes of the state" in words


@pytest.mark.parametrize(
    ("make", "each", "vector", "fixed"),
    [
        (optax.sgd, 0, 0, 0),
        (optax.adam, 8, 8, 4),
        (lambda: optax.adam(1e-3, mu_dtype="bfloat16"), 6, 6, 4),
        (lo.adam, 8, 8, 16),
        (optax.adafactor, 2 * 4 / 1024, 4, 8),
    ],
)
def test_bytes_of_a_parameter(make, each, vector, fixed):
    numbers, _ = measured("state", make)
    assert numbers["bytes_of_a_parameter"] == pytest.approx(each, rel=1e-3)
    assert numbers["bytes_of_a_parameter_of_a_vector"] == vector
    assert numbers["fixed_bytes"] <= fixed + 4


def test_a_zero_gradient():
    numbers, words = measured("zero_gradient", optax.adam)
    first = {dtype: found["first"] for dtype, found in numbers["dtypes"].items()}
    assert first.pop("float16") != 0 and set(first.values()) == {0.0}  # ε = 1e-8 is 0 in float16
    assert "not finite in float16" in words
    assert all(x["later"] == 0 for x in measured("zero_gradient", optax.sgd)[0]["dtypes"].values())


def clipped():
    return optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1))


@pytest.mark.parametrize(
    ("make", "lost", "elsewhere", "after"),
    [
        (optax.sgd, 1, 0, 1),
        (optax.adam, 1, 0, None),
        (clipped, 9, 1, 1),
        (lambda: optax.chain(optax.zero_nans(), optax.sgd(0.1)), 0, 0, 0),
    ],
)
def test_after_a_nan(make, lost, elsewhere, after):
    numbers, words = measured("after_a_nan", make)
    assert numbers["lost_at_the_end"] == lost
    assert numbers["other_leaves_lost"] == elsewhere
    assert numbers["finite_updates_after"] == after
    assert ("never recover" in words) == (after is None)
