"""Data of other libraries train the same model to the bit, at every entry point."""

import re
from functools import partial

import jax
import numpy as np
import pandas as pd
import pytest

import lecture_optax as lo
from lecture_optax.training import Problem
from lecture_optax.training.checks.data import precision_messages
from lecture_optax.training.conversion.columns import order_message
from lecture_optax.training.result import Predictor

from ..models import ADAM, PARAMS, PROBLEMS, TRAIN, VALID, LinenNet, plain_init, plain_loss

pytestmark = pytest.mark.usefixtures("untyped")
x, y = TRAIN
FRAME, SERIES = pd.DataFrame(x, columns=list("abcd")), pd.Series(y)
VALID_FRAME = pd.DataFrame(VALID[0], columns=list("abcd"))


def fit(data, **options):
    given = {"loss": "cross_entropy", "tx": ADAM, "steps": 2, "progress": False, **options}
    return lo.fit(LinenNet(), data, params=PARAMS, **given)


def search(data, **options):
    return lo.recipe.run(LinenNet(), data, "cross_entropy", steps=2, progress=False, **options)


def sweep(data, **options):
    call = {"rates": [0.1], "steps": 2, "progress": False, **options}
    return lo.recipe.sweep(LinenNet(), data, "cross_entropy", **call)


def budget(data, **options):
    return fit(data, tx=None, budget=1.0, **options)


def fork(data):
    state = PARAMS, ADAM.init(PARAMS)
    return lo.recipe.fork(LinenNet(), state, ADAM, 2, data=data, loss="cross_entropy")


def refusal(entry, *arguments, **options):
    with pytest.raises((TypeError, ValueError)) as raised:
        entry(*arguments, **options)
    return str(raised.value).replace("\n", " ")


def changed(array, place, value, dtype=None):
    copy = np.array(array, dtype)
    copy[place] = value
    return copy


def same(one, other):
    return jax.tree.all(jax.tree.map(np.array_equal, one, other))


@pytest.fixture(scope="module")
def usual():
    return fit(TRAIN)


@pytest.mark.parametrize("data", [(FRAME, SERIES), [x.tolist(), y.tolist()], (FRAME, list(y))])
def test_the_same_numbers_are_the_same_run(data, usual):
    assert same(fit(data).params, usual.params)


class Loader:
    """As PyTorch's: a list of x and y, and a length; the last batch is smaller."""

    def __init__(self, data, size):
        self.batches = [[a[i : i + size] for a in data] for i in range(0, len(data[1]), size)]

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


@pytest.mark.parametrize(
    "valid", [Loader(VALID, 9), [tuple(b) for b in Loader(VALID, 9)], (VALID_FRAME, list(VALID[1]))]
)
def test_a_loader_or_a_table_is_a_validation_set(valid):
    one, other = (fit(TRAIN, valid=v).history["valid_loss"] for v in (VALID, valid))
    np.testing.assert_array_equal(one, other)


def test_a_list_of_batches_is_an_iterable_of_them():
    batches = list(Loader(TRAIN, 24))
    of_tables = [(pd.DataFrame(x), pd.Series(y)) for x, y in batches]
    one, *others = (fit(data).params for data in (iter(batches), batches, of_tables))
    assert all(same(one, other) for other in others)
    for entry in (sweep, fork):
        assert "must be arrays, got an iterable of batches (ListOfBatches)" in refusal(
            entry, batches
        )


two = list(Loader(TRAIN, 36))
DATA = {
    "two batches": (fit, two, {}, r"data must be \(x, y\), got a list of two pairs. Join two"),
    "a tuple of two": (fit, tuple(two), {}, "y must be one array for loss='cross_entropy', got a"),
    "no target": (fit, (x, None), {}, "y must be one array for loss='cross_entropy', got None"),
    "a table": (fit, FRAME, {}, r"got DataFrame. Pass two parts of the table: \(data\[inputs\]"),
    "a data set": (fit, pd.Series, {}, r"data must be \(x, y\)"),
    "examples": (
        fit,
        zip(x, y, strict=True),
        {},
        r"data \(train of a problem\) must give batches, .* gave one example",
    ),
    "one example": (fit, (x[0], y[0]), {}, r"y must be .* one number, .*: pass the arrays of all"),
    "a list of arrays": (fit, (list(x), y), {}, "x.0. has 4, .* and 67 more: .*numpy.stack makes"),
    "labels (n, 1)": (
        fit,
        (x, y[:, None]),
        {},
        r"\(72,\), got the shape \(72, 1\): pass y\[..., 0",
    ),
    "labels (n, 1) in y": (
        fit,
        (x, y[:, None]),
        {"valid": VALID},
        r"valid's y and y must be alike, got int32 of shape \(\) .* and int32 of shape \(1,\) of y",
    ),
    "a function as valid": (
        fit,
        TRAIN,
        {"valid": lambda seed: [VALID]},
        "valid must be .* call it",
    ),
    "an empty valid": (fit, TRAIN, {"valid": Loader((x[:0], y[:0]), 9)}, "valid must give batches"),
    "examples in valid": (fit, TRAIN, {"valid": range(3)}, "valid must give batches, .* gave the"),
    "nothing in batches": (
        fit,
        iter([None] * 3),
        {},
        r"data \(train of a problem\) must give batches",
    ),
    "an empty list": (fit, ([], y), {}, "x must be an array, or a tree of them, got the list"),
    "no columns": (fit, (x[:, :0], y), {}, r"x has no columns, its shape is \(72, 0\)"),
    "complex weights": (fit, TRAIN, {"sample_weight": y + 1j}, "sample_weight must be an array"),
    "views of a dict": (fit, {"x": x, "y": y}.values(), {}, r"data must be \(x, y\)"),
    "words in valid": (fit, TRAIN, {"valid": (VALID[0], ["a"] * 28)}, "valid's y must be an array"),
    "listed weights": (fit, TRAIN, {"sample_weight": [1.0] * 71 + [-2.0]}, "got -2.0 in row 71"),
    "words as weights": (fit, TRAIN, {"sample_weight": ["a"] * 72}, "sample_weight must be an arr"),
    "other columns": (
        fit,
        (FRAME, y),
        {"valid": (VALID_FRAME[list("bacd")], VALID[1])},
        r"columns of valid must be .* \['a', 'b', 'c', 'd'\], got \['b', 'a', 'c', 'd'\]: pass",
    ),
}


@pytest.mark.parametrize("mistake", DATA)
def test_data_of_another_form_are_refused_with_the_way_out(mistake):
    entry, data, options, says = DATA[mistake]
    assert re.search(says, refusal(entry, data, **options))


def test_a_loss_of_real_numbers_refuses_complex_ones(standard_promotion):
    says = refusal(fit, (x + 1j, y))
    assert "loss='cross_entropy' needs real predictions and targets, got complex64 from" in says


MILLISECONDS = np.full((72, 4), 1577836800000)
NUMBERS = {
    "milliseconds": ((MILLISECONDS, y), "x must fit int32, .* got 1577836800000 in row 0"),
    "a label that wraps": ((x, changed(y, 5, 2**32 + 1, int)), "y must fit .* 4294967297 in row 5"),
    "NaN cast to int64": ((x, changed(y, 5, -(2**63), int)), "row 5 .*makes this number of NaN"),
    "NaN cast to int32": ((x, changed(y, 5, -(2**31))), "class from 0 to 1.* row 5 .* of NaN"),
    "a label below 0": ((x, changed(y, 5, -1)), "y must be a class from 0 to 1, .* -1 in row 5"),
    "no float32": (
        (changed(x, 5, 1e300, float), y),
        "x has 4 too large for float32 of 288 .* row 5",
    ),
}


@pytest.mark.parametrize("entry", [fit, search, sweep, budget, fork])
@pytest.mark.parametrize("mistake", NUMBERS)
def test_numbers_are_checked_before_they_are_cast(mistake, entry):
    data, says = NUMBERS[mistake]
    assert re.search(says, refusal(entry, data))


def test_every_problem_is_checked():
    train = {"x": MILLISECONDS, "y": y}
    says = r"train\['x'\] must fit int32"
    assert re.search(
        says, refusal(Problem.from_functions, init=plain_init, loss=plain_loss, train=train)
    )
    assert "valid's y must fit int32" in refusal(
        Problem.from_linen, LinenNet(), TRAIN, loss="mse", valid=(x, y.astype(int) + 2**40)
    )


LATER = {
    "a label": ((x[:24], changed(y[:24], 3, -1)), "the batch of step 2: y must be .* -1 in row 3"),
    "a wrap": ((x[:24], changed(y[:24], 3, 2**40, int)), r"of step 2: batch\[1\] must fit int32"),
    "words": ((x[:24], ["a"] * 24), r"the batch of step 2: batch\[1\] must be an array of numbers"),
}


@pytest.mark.parametrize("mistake", LATER)
def test_every_batch_of_an_iterable_is_checked(mistake):
    batch, says = LATER[mistake]
    first = (x[:24], y[:24].astype(batch[1].dtype if mistake == "a wrap" else np.int32))
    assert re.search(says, refusal(fit, iter([first, batch])))


def test_a_batch_that_is_not_finite_is_the_cause_of_what_follows():
    batches = [(x[:24], y[:24]), (changed(x[:24], 3, np.nan), y[:24])]
    with pytest.raises(lo.training.NonFiniteError, match="the batch of step 2, x has 4 NaN of 96 "):
        fit(iter(batches))


COLLAPSED = {
    "seconds": (1.7e9 + np.arange(72.0)[:, None], "column 0 of x is between 1700000000.0 and 17"),
    "whole seconds": (1_700_000_000 + np.arange(72)[:, None], "column 0 of x .* float32 has few"),
    "a cast NaN": (changed(np.arange(72), 7, -(2**31), np.int32), "x is -2147483648 in row 7"),
}
TOLD_APART = {
    "usual numbers": x.astype(float),
    "a constant": np.full((72, 1), 1.7e9),
    "the rounding of float64": 0.1 + 1e-17 * np.arange(72.0) + np.arange(72) % 2 * 5e-17,
    "days": 1.7e9 + 86400.0 * np.arange(72.0),
    "whole numbers": 10_000_000 + np.arange(72),
    "float32": (1.7e9 + np.arange(72)).astype(np.float32),
    "images": np.zeros((72, 2, 2), np.uint8),
    "prices": np.linspace(2e5, 3e5, 72),
    "years": np.linspace(2020, 2021, 72),
}


@pytest.mark.parametrize("kind", COLLAPSED)
def test_numbers_that_become_equal_are_warned_of(kind):
    given, says = COLLAPSED[kind]
    (message,) = precision_messages((given, y), pairs=True)
    assert re.search(says, message)


@pytest.mark.parametrize("kind", TOLD_APART)
def test_numbers_that_float32_tells_apart_are_not(kind):
    assert not precision_messages((TOLD_APART[kind], y), pairs=True)


def test_nothing_is_lost_with_x64(x64):
    assert not precision_messages((COLLAPSED["seconds"][0], y), pairs=True)


def test_rows_of_another_order_are_warned_of():
    moved = SERIES.sort_values(kind="stable")
    assert re.search(
        r"row labels in another order \(row \d+ .*y.loc\[x", order_message((FRAME, moved))
    )
    with pytest.warns(UserWarning, match="row labels in another order"):
        fit((FRAME, moved))
    for other in (SERIES, SERIES.set_axis(range(100, 172)), y):
        assert order_message((FRAME, other)) is None


class TestPredict:
    def test_examples_are_converted_as_for_training(self, usual):
        expected = usual.predict(VALID[0])
        for given in (VALID_FRAME, VALID[0].tolist(), VALID[0].astype(">f8")):
            assert same(usual.predict(given), expected)

    @pytest.mark.parametrize("kind", ["linen", "equinox"])
    def test_one_example_is_predicted_as_one(self, kind):
        problem = PROBLEMS[kind]()
        predict = partial(Predictor(problem), problem.start[0], problem.start[1] or {})
        for one in (VALID[0][3], VALID_FRAME.loc[3], VALID[0][3].tolist()):
            found = predict(one)
            assert found.shape == (2,)
            np.testing.assert_allclose(found, predict(VALID[0])[3], rtol=1e-5)

    def test_within_a_transformation_arrays_are_left_alone(self, usual):
        expected = usual.predict(VALID[0])
        for transformed in (jax.jit(usual.predict), jax.vmap(usual.predict)):
            np.testing.assert_allclose(transformed(VALID[0]), expected, rtol=1e-5)

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (
                VALID[0][:, :3],
                r"like the training data, x of shape \(n, 4\), got x of shape \(n, 3",
            ),
            (list(VALID[0]), r"got x\[0\] of shape \(n\), .*numpy.stack makes one array of a list"),
            (VALID, r"x must be like .* got x\[0\] of shape \(n, 4\), x\[1\] of shape \(n\)"),
            (None, r"x must be like the training data, x of shape \(n, 4\), got None"),
            ("digits.png", "x must be an array .* got the str 'digits.png'"),
            (MILLISECONDS, "x must fit int32"),
            ([["a"] * 4], "x must be an array of numbers"),
        ],
        ids=["features", "list", "pair", "None", "path", "milliseconds", "words"],
    )
    def test_what_the_model_does_not_take_is_refused(self, given, says, usual):
        assert re.search(says, refusal(usual.predict, given))

    def test_the_columns_of_a_table_are_those_of_the_training_data(self):
        result = fit((FRAME, y))
        assert same(result.predict(VALID_FRAME), result.predict(VALID[0]))
        assert same(
            result.predict(VALID_FRAME.set_axis(range(4), axis=1)), result.predict(VALID[0])
        )
        assert "the columns of x must be" in refusal(result.predict, VALID_FRAME[list("dcba")])
        assert "pass table[['a', 'b', 'c', 'd']]" in refusal(
            result.predict, VALID_FRAME.rename(columns={"d": "e"})
        )
