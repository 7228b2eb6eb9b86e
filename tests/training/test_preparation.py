"""`fit`, `recipe.run`, `recipe.sweep` and `recipe.fork` refuse mistakes in the same words."""

import warnings

import numpy as np
import pytest

import lecture_optax as lo

from .models import ADAM, PARAMS, TRAIN, VALID, LinenNet

pytestmark = pytest.mark.usefixtures("untyped")
x, y = TRAIN


def changed(array, place, value):
    copy = np.array(array)
    copy[place] = value
    return copy


def fit(data, **options):
    lo.fit(LinenNet(), data, tx=ADAM, **options)


def search(data, **options):
    lo.recipe.run(LinenNet(), data, **options)


def sweep(data, seed=0, **options):
    lo.recipe.sweep(LinenNet(), data, rates=[0.1], seeds=[seed], **options)


def fork(data, **options):
    lo.recipe.fork(LinenNet(), (PARAMS, ADAM.init(PARAMS)), ADAM, data=data, **options)


MISTAKES = {
    "missing data": ({"data": None}, "data must be (x, y)"),
    "one array": ({"data": x}, "data must be (x, y)"),
    "lengths": ({"data": (x, y[:71])}, "x has 72, y has 71"),
    "no rows": ({"data": (x[:0], y[:0])}, "x has no examples"),
    "NaN": ({"data": (changed(x, (7, 2), np.nan), y)}, "x has 1 NaN"),
    "a class too many": ({"data": (x, changed(y, 70, 2))}, "got 2 in row 70"),
    "a shape": ({"data": (x, x), "loss": "mse"}, "mse needs a target per prediction"),
    "an unknown loss": ({"loss": "entropy"}, "loss must be one of"),
    "a loss that is a mean": ({"loss": lambda p, t: p.mean()}, "one number per example"),
    "batch_size in words": ({"batch_size": "64"}, "batch_size must be a whole number"),
    "a batch too large": ({"batch_size": 80}, "80 * 1, and there are 72 to train on"),
    "batch_size 0": ({"batch_size": 0}, "batch_size must be a whole number of examples >= 1"),
    "steps in words": ({"steps": "many"}, "steps must be a whole number of steps >= 1"),
    "steps 0": ({"steps": 0}, "steps must be a whole number of steps >= 1, got 0"),
    "half a seed": ({"seed": 1.5}, "seed must be a whole number >= 0, got 1.5"),
    "a negative seed": ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
}


def refusal(entry, **given):
    with pytest.raises((TypeError, ValueError)) as raised:
        entry(**{"data": TRAIN, "loss": "cross_entropy", "steps": 1, "batch_size": 16, **given})
    return type(raised.value), str(raised.value).replace("seeds", "seed")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_all_refuse_a_mistake_in_the_same_words(mistake):
    given, says = MISTAKES[mistake]
    refusals = [refusal(entry, **given) for entry in (fit, search, sweep, fork)]
    assert says in refusals[0][1]
    assert refusals[1:] == refusals[:1] * 3


@pytest.mark.parametrize("entry", [fit, search, sweep])
def test_validation_data_of_another_kind_are_refused(entry):
    _, says = refusal(entry, valid=(VALID[0][:, :3], VALID[1]))
    assert "valid's x and x must be alike, got float32 of shape (3,) per example" in says


@pytest.mark.parametrize("entry", [search, sweep])
def test_a_batch_may_not_need_the_examples_that_are_held_out(entry):
    assert "60 * 1, and there are 58 to train on" in refusal(entry, batch_size=60)[1]


@pytest.mark.parametrize("entry", [sweep, fork])
def test_runs_that_are_compared_refuse_an_iterable_in_the_same_words(entry):
    kind, says = refusal(entry, data=iter([TRAIN]))
    assert kind is TypeError
    assert "the training data must be arrays, got an iterable of batches (list_iterator)" in says


@pytest.mark.parametrize("entry", [fit, search, sweep])
def test_validation_examples_that_are_trained_on_are_warned_of(entry):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        entry(TRAIN, loss="cross_entropy", steps=1, valid=(x[:9], y[:9]), progress=False)
    (warning,) = caught
    assert "9 of 9" in str(warning.message)
