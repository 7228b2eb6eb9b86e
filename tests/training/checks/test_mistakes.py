"""Every mistake is caught where it is made: the message names the array, the row, the leaf."""

import re
import warnings
from typing import Any, NamedTuple

import chex
import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib
import pytest
from flax import nnx

import lecture_optax as lo
from lecture_optax.training import NonFiniteError, Problem
from lecture_optax.training.checks.data import check_rows, shared_rows
from lecture_optax.training.checks.likely_mistakes import sum_message, underflow_message
from lecture_optax.training.checks.optimizer import lint_messages
from lecture_optax.training.checks.targets import check_targets
from lecture_optax.training.compiled.step import Carry

from ..models import PARAMS, PROBLEMS, TRAIN, VALID, X, Y, equinox_module, nnx_model

pytestmark = pytest.mark.usefixtures("untyped")
SGD = lo.sgd(0.1)
x, y = TRAIN
FLOATS, HOT = Y[:72].astype(np.float32), np.eye(2, dtype=np.float32)[Y[:72]]


def with_entry(array, place, value):
    changed = np.array(array)
    changed[place] = value
    return changed


def message(kind, model=None, **arguments):
    """What `fit` says when it refuses; the network has two logits."""
    usual = {} if model else {"data": TRAIN, "loss": "cross_entropy"}
    with pytest.raises(kind) as raised:
        lo.fit(model or nnx_model(), **{**usual, "tx": SGD, "steps": 1, **arguments})
    return str(raised.value).replace("\n", " ")


TWO_NAN = with_entry(with_entry(x, (7, 2), np.nan), (30, 0), np.nan)
ROWS = {
    "lengths": ({"data": (x, y[:71])}, ValueError, "x has 72, y has 71: row i"),
    "nan in x": ({"data": (TWO_NAN, y)}, ValueError, "x has 2 NaN of 288 entries, .* in row 7:"),
    "inf in y": (
        {"data": (x, with_entry(FLOATS, 3, np.inf)), "loss": "mse"},
        ValueError,
        "y has 1 infinite of 72 entries, the first in row 3",
    ),
    "nan in valid": (
        {"valid": (with_entry(VALID[0], (5, 1), np.nan), VALID[1])},
        ValueError,
        "valid's x has 1 NaN of 112 entries, the first in row 5",
    ),
    "tree": ({"valid": ({"a": x}, y)}, ValueError, r"arrays are x, y; got valid's x\['a'\]"),
    "dtype": (
        {"valid": (VALID[0].astype(np.float16), VALID[1])},
        ValueError,
        r"got float16 of shape \(4,\) per example of valid's x, and float32 of shape \(4,\) of x",
    ),
    "shape": (
        {"valid": (VALID[0][:, :3], VALID[1])},
        ValueError,
        r"valid's x and x must be alike, got float32 of shape \(3,\)",
    ),
    "valid lengths": ({"valid": (VALID[0], VALID[1][:9])}, ValueError, "valid's y has 9"),
    "no data": ({"data": None}, TypeError, r"data must be \(x, y\).* got NoneType"),
    "a dict": (
        {"data": {"image": x, "label": y}},
        TypeError,
        r"got a dict: pass \(data\['image'\], data\['label'\]\)",
    ),
    "one array": ({"data": x}, TypeError, r"data must be \(x, y\).* got ndarray"),
    "three arrays": (
        {"data": (x, x, y)},
        TypeError,
        r"\(x, y\).* got 3 of them.*\(\(x1, x2\), y\)",
    ),
    "words": (
        {"data": (x, np.array(["a"] * 72))},
        TypeError,
        "y must be an array of numbers, got <U1",
    ),
    "no rows": ({"data": (x[:0], y[:0])}, ValueError, r"x has no examples, its shape is \(0, 4\)"),
    "batch": ({"batch_size": 80}, ValueError, "80 .* there are 72 to train on"),
    "few weights": (
        {"sample_weight": np.ones(71)},
        ValueError,
        r"one number >= 0 per example of data, 72, .*\(71,\)",
    ),
    "bad weight": (
        {"sample_weight": with_entry(np.ones(72), 9, -2.0)},
        ValueError,
        r"sample_weight must be finite numbers >= 0, got -2.0 in row 9 \(1 such",
    ),
    "no weight": ({"sample_weight": np.zeros(72)}, ValueError, "sample_weight is all 0"),
}


@pytest.mark.parametrize("mistake", ROWS)
def test_rows_that_cannot_be_trained_on_are_refused(mistake):
    given, kind, says = ROWS[mistake]
    assert re.search(says, message(kind, **given))


def test_data_whose_sum_overflows_are_not_refused():
    huge = np.full((3, 4), np.finfo(np.float32).max)
    check_rows((huge, huge), None, None, pairs=True)


def test_any_pair_of_trees_will_do_and_its_arrays_are_named_as_they_are_reached():
    class Pair(NamedTuple):
        image: Any
        label: Any

    check_rows(Pair(x, y), Pair(*VALID), None, pairs=True)
    check_rows([{"a": x}, None], None, None, pairs=True)  # a loss of the prediction alone
    with pytest.raises(ValueError, match=r"x\['a'\] has 2 NaN"):
        check_rows([{"a": TWO_NAN}, None], None, None, pairs=True)
    with pytest.raises(ValueError, match=r"^train\['x'\] has 2 NaN"):
        check_rows({"x": TWO_NAN}, None, None, pairs=False)
    with pytest.raises(ValueError, match=r"^valid\['x'\] has 2 NaN"):
        check_rows({"x": x}, {"x": TWO_NAN}, None, pairs=False)


TARGETS = {
    "too large": (
        {"data": (x, with_entry(y, 17, 10))},
        ValueError,
        r"y must be a class from 0 to 1, .* 2 logits, got 10 in row 17 \(1 of 72 .* Subtract 1",
    ),
    "below 0": ({"data": (x, with_entry(y, 4, -1))}, ValueError, "got -1 in row 4"),
    "in valid": (
        {"valid": (VALID[0], with_entry(VALID[1], 2, 5))},
        ValueError,
        "valid's y must be a class from 0 to 1, .* got 5 in row 2",
    ),
    "optax's loss": (
        {"data": (x, y + 1), "loss": optax.softmax_cross_entropy_with_integer_labels},
        ValueError,
        "got 2 in row",
    ),
    "floats": (
        {"data": (x, FLOATS)},
        TypeError,
        r"y must be integers, one class of 2 per example, got float32 of .*72.*astype\('int32'\)",
    ),
    "truth": (
        {"data": (x, y > 0)},
        TypeError,
        r"one class per example, .* got bool .*astype\('int32'\)",
    ),
    "one-hot integers": (
        {"data": (x, HOT.astype(int))},
        TypeError,
        r"got int.* pass y.argmax\(-1\)",
    ),
    "no distribution": (
        {"data": (x, with_entry(HOT, 6, 1.0))},
        ValueError,
        r"distribution .* sum of 2 and .* in row 6 \(1 such rows\): .*binary_cross_entropy",
    ),
    "no probability": (
        {"data": (x, HOT * 2 - 1), "loss": "binary_cross_entropy"},
        ValueError,
        r"y must be a probability, .* got -1.0 in row 0 .*\(y \+ 1\) / 2",
    ),
    "another shape": (
        {"data": (x, FLOATS), "loss": "mse"},
        ValueError,
        r"mse needs a target per prediction, .* reshape y",
    ),
    "a metric of classes": (
        {"valid": VALID, "metrics": {"m": lambda p, t: p.sum(0)}},
        ValueError,
        r"metrics\['m'\] must return one number, .* one number per example, got shape \(2,\)",
    ),
    "a mean": (
        {"loss": lambda p, t: jnp.mean(p)},
        ValueError,
        r"loss must return one number per example, .* got \(\) for 64 .* before their mean",
    ),
}


@pytest.mark.parametrize("mistake", TARGETS)
def test_targets_that_the_loss_does_not_take_are_refused(mistake):
    given, kind, says = TARGETS[mistake]
    assert re.search(says, message(kind, **given))


def test_integers_and_distributions_are_the_same_targets():
    logits = jnp.asarray(X[:72, :2])
    one, other = (lo.training.losses.cross_entropy(logits, jnp.asarray(t)) for t in (y, HOT))
    np.testing.assert_allclose(one, other, rtol=1e-6)
    for targets in (y, HOT):
        problem = Problem.from_nnx(nnx_model(), (x, targets), loss="cross_entropy")
        check_targets(problem, *problem.start, 8)


LABELS = {"hidden": "slow", "out": "fast"}
MASK = {"hidden": True, "exit": False}
OPTIMIZERS = {
    "an injected negative rate": (
        optax.inject_hyperparams(optax.adam)(-0.1),
        r"learning rate must be >= 0, got -0.1 as learning_rate in .*negate",
    ),
}


@pytest.mark.parametrize("mistake", OPTIMIZERS)
def test_an_optimizer_that_does_not_fit_is_refused_by_path(mistake, standard_promotion):
    tx, says = OPTIMIZERS[mistake]
    assert re.search(says, message(ValueError, PROBLEMS["functions"](), tx=tx))


@pytest.mark.parametrize(
    ("tx", "error"),
    [
        (optax.partition({"slow": SGD}, LABELS), ValueError),
        (optax.partition({"slow": SGD}, {"hidden": "slow"}), ValueError),
        (lo.adamw(0.1, mask=MASK), (ValueError, KeyError)),
    ],
    ids=["unknown label", "labels of another tree", "mask of another tree"],
)
def test_masks_and_labels_that_do_not_fit_are_refused_by_optax(tx, error):
    message(error, PROBLEMS["functions"](), tx=tx)


def climbs(tx, params=PARAMS):
    with jax.numpy_dtype_promotion("standard"):
        return " ".join(m for m in lint_messages(tx, params) if "uphill" in m)


def needs_the_value():
    def update(updates, state, params=None, *, value, **extra):
        return jax.tree.map(lambda g: value * g, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


UPHILL = {
    "two rates of ours": optax.chain(lo.adam(0.1), lo.sgd(0.5)),
    "an injected rate and one of ours": optax.chain(
        optax.inject_hyperparams(optax.adam)(0.1), lo.sgd(0.5)
    ),
    "a negative rate": optax.adam(-0.1),
    "no minus sign": optax.chain(optax.scale_by_adam(), optax.scale(0.1)),
    "inside of ours": lo.chain(optax.scale_by_adam(), optax.scale(0.1)),
    "two rates of Optax's": optax.chain(optax.adam(0.1), optax.sgd(lambda k: 0.5)),
    "a rate of ours and one of Optax's": optax.chain(
        lo.adam(0.1), optax.scale_by_learning_rate(0.5)
    ),
    "a change of sign": optax.chain(optax.scale(-1.0), optax.sgd(0.1)),
    "no rate and no minus sign": optax.scale_by_adam(),
    "an update of 0 first": optax.contrib.scale_by_adopt(),
    "a warm-up": optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(lambda k: 0.1 * k)),
    "micro-steps": optax.MultiSteps(optax.adam(-0.1), 30).gradient_transformation(),
    "needs the value": needs_the_value(),
    "ours without a rate": lo.chain(lo.first_moment(0.9), lo.bias_correction(0.9)),
    "ours with the sign kept": lo.scale_by_learning_rate(0.1, flip_sign=False),
}


@pytest.mark.parametrize("name", UPHILL)
def test_an_optimizer_that_climbs_is_warned_of(name):
    assert re.match(r"LO10[123]: the optimizer goes uphill", climbs(UPHILL[name]))


def test_two_learning_rates_are_named():
    says = climbs(UPHILL["two rates of ours"])
    assert re.match(r"LO101: .*\[0\]\[1\].learning_rate = 0.1 and \[1\].* = 0.5.* minus", says)


def only(name):
    return {layer: layer == name for layer in LABELS}


def test_a_mask_that_passes_gradients_on_is_named():
    says = climbs(optax.masked(optax.adam(0.1), only("hidden")))
    assert "optax.masked, and optax.identity() in optax.multi_transform, pass the gradients" in says
    assert "optax.masked" not in climbs(optax.adam(-0.1))


DOWNHILL = {
    "sgd": optax.sgd(0.1, momentum=0.9),
    "a schedule": optax.adam(lambda k: 0.1),
    "clipped": optax.chain(optax.clip(1.0), optax.adamw(0.1)),
    "weighed": lo.chain(optax.scale(0.5), lo.adam(0.1)),
    "a sign of its own": optax.chain(optax.contrib.prodigy(), optax.scale(0.5)),
    "moving apart": optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(lambda k: -0.1)),
    "two rates for different leaves": optax.chain(
        *(optax.masked(optax.sgd(0.1), only(name)) for name in LABELS)
    ),
    "two rates of ours for different leaves": optax.chain(
        *(optax.masked(lo.sgd(0.1), only(name)) for name in LABELS)
    ),
    "labels": optax.partition({"slow": lo.sgd(0.1), "fast": lo.sgd(0.1)}, LABELS),
}
NO_VERDICT = {
    "a line search": optax.lbfgs(),
    "a warm-up": optax.adam(lambda k: 0.1 * k),
    "noise": optax.chain(optax.sgd(0.1), optax.add_noise(1.0, 0.55, 0)),
    "not finite": optax.sgd(np.inf),
}


@pytest.mark.parametrize("name", {**DOWNHILL, **NO_VERDICT})
def test_one_that_does_not_or_may_not_is_not(name):
    tx = {**DOWNHILL, **NO_VERDICT}[name]
    assert not climbs(tx)


def test_parameters_that_start_at_zero_or_far_away_do_not_change_the_verdict():
    for value in (0.0, -1e6):
        params = jax.tree.map(lambda p, value=value: np.full_like(p, value), PARAMS)
        tx = optax.adamw(0.1, weight_decay=10.0)
        assert not climbs(tx, params)


def test_parameters_that_have_no_gradient_are_refused_by_path():
    problem = Problem.from_functions(
        init=lambda key: {"w": jnp.ones(2), "steps": jnp.arange(3)},
        loss=lambda θ, batch: batch @ θ["w"],
        train=np.ones((4, 2), np.float32),
    )
    with pytest.raises(TypeError, match=r"\['steps'\] \(int32\).*optax.masked"):
        lo.fit(problem, tx=optax.sgd(0.1), steps=1)


def underflow(size, **options):
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    problem = Problem.from_linen(Net(), (x, size * np.sin(3 * x)), loss="mse", **options)
    params, model_state = problem.functions.init(jax.random.key(0), problem.train)
    params = jax.tree.map(lambda p: size * p, params)
    return underflow_message(problem, Carry(params, model_state, (), jax.random.key(0), 0))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.tanh(nn.Dense(8)(x)))


def test_a_gradient_that_float16_loses_is_warned_of_with_the_way_out():
    assert re.match(
        r"\d+% of the entries .* Pass dtype=jnp.bfloat16", underflow(1e-3, dtype="float16")
    )


@pytest.mark.parametrize("dtype", [None, "bfloat16", jnp.float16])
def test_other_gradients_are_not(dtype):
    assert underflow(1.0 if dtype == jnp.float16 else 1e-3, dtype=dtype) is None


def plain(loss, **options):
    rows = {"x": X[:8], "y": X[:8, 0]}
    return Problem.from_functions(
        init=lambda key: jnp.full(4, 0.5), loss=loss, train=rows, **options
    )


def squares(θ, batch):
    return (batch["x"] @ θ - batch["y"]) ** 2


def warned(problem, **arguments):
    """The warnings of a run of two steps."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lo.fit(problem, steps=2, batch_size=4, **arguments)
    return [str(warning.message) for warning in caught]


def test_all_that_is_doubted_is_said_before_the_run():
    def make(learning_rate, total_steps):
        return lo.sgd(lo.schedules.linear(learning_rate, total_steps))

    valid = {"x": X[[20, 6, 21, 3]], "y": X[[20, 6, 21, 3], 0]}
    problem = plain(lambda θ, batch: jnp.sum(squares(θ, batch)), valid=valid)
    numbers = {"learning_rate": 0.1, "total_steps": 30}  # data, and read all the same
    length, overlap, total = warned(problem, tx=make, hyperparams=numbers)
    assert re.search(r"run ends at step 2, .* schedules.linear\(0.1, 30\) at step 30", length)
    assert re.search(
        r"2 of 4 validation examples .*\(the first: row 1 of valid is row 6 .* optimistic", overlap
    )
    assert re.search(r"doubles when a batch .*\(\d.*\): it is a sum, .*batch_size.* Return", total)


@pytest.mark.parametrize("reduce", [lambda losses: losses, jnp.mean])
def test_a_mean_is_not_doubted(reduce):
    problem = plain(lambda θ, batch: reduce(squares(θ, batch)))
    assert sum_message(problem, jnp.full(4, 0.5), {}) is None


def test_a_loss_that_takes_one_size_of_batch_is_not_doubted():
    problem = plain(lambda θ, batch: jnp.sum(squares(θ, batch).reshape(8)))
    assert sum_message(problem, jnp.full(4, 0.5), {}) is None


def test_rows_are_the_same_where_every_bit_of_every_array_is():
    images = np.zeros((50, 8, 8, 3), np.uint8)  # alike, but for an entry that is seldom looked at
    images[np.arange(50), 5, 3, 1] = np.arange(50)
    train = {"image": images, "label": np.arange(50)}
    held_out = {"image": images[[49, 7, 3]], "label": np.array([49, 8, 3])}
    assert shared_rows(train, held_out) == [(0, 49), (2, 3)]
    assert shared_rows(train, {"image": images[:2] + 100, "label": np.arange(2)}) == []


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (
            lo.schedules.cosine(0.1, 9),
            r"the run ends at step 2, .*cosine\(0.1, 9\) at step 9: .* cut short",
        ),
        (lo.schedules.constant(0.1, warmup_steps=7), r"the run ends at step 2, .* at step 7"),
    ],
    ids=repr,
)
def test_a_schedule_of_another_length_than_the_run_is_doubted(schedule, says):
    (found,) = lint_messages(lo.adam(schedule), PARAMS, 2)
    assert re.search(says, found)


@pytest.mark.parametrize(
    "rate",
    [
        0.1,
        lo.schedules.cosine(0.1, 2),
        lo.schedules.constant(0.1, warmup_steps=1),
        lo.schedules.inverse_time(0.1, 1.0),
        lambda k: 0.1,
    ],
    ids=["number", "as long", "warm-up over", "endless", "function"],
)
def test_other_schedules_are_not(rate):
    assert lint_messages(lo.adam(rate), PARAMS, 2) == []


def test_the_rows_whose_loss_is_no_number_are_named():
    def loss(θ, batch):
        return θ[0] ** 2 - jnp.log(batch["x"][:, 0])

    rows = {"x": with_entry(np.abs(X[:8]) + 1, ([2, 5], 0), -1.0)}
    problem = Problem.from_functions(init=lambda key: jnp.ones(4), loss=loss, train=rows)
    with pytest.raises(NonFiniteError) as raised:
        lo.fit(problem, tx=SGD, steps=2, batch_size=8)
    says = str(raised.value)
    assert re.search(r"loss was not finite at step 0 at learning rate 0.1 \(last .*: none\)", says)
    assert re.search(r"the loss of row [25], row [25] of the data, 2 of the 8 in the batch", says)
    assert "division at 0 in the loss of these" in says and "learning rate, a warm-up" not in says


def test_the_leaf_whose_gradient_is_no_number_is_named():
    def init(key):
        return {"fine": jnp.ones(2), "layer": [{"kernel": jnp.array([[0.0, 1.0]])}]}

    def loss(θ, batch):  # finite, with no slope at 0
        return jnp.sqrt(θ["layer"][0]["kernel"] ** 2).sum() + batch["x"] @ θ["fine"]

    problem = Problem.from_functions(init=init, loss=loss, train={"x": X[:8, :2]})
    with pytest.raises(NonFiniteError) as raised:
        lo.fit(problem, tx=SGD, steps=2, batch_size=4)
    says = str(raised.value)
    assert "grad_norm was not finite at step 0" in says
    assert "It is the gradient of ['layer'][0]['kernel'] (1 of 2 entries)." in says
    assert "Try a tenth of the learning rate" in says
    chex.assert_trees_all_equal(raised.value.run.carry.params, init(None))


LINEAR = nnx.state(nnx.Linear(4, 8, rngs=nnx.Rngs(0)))
WIDE = eqx.tree_at(lambda m: m.out.bias, equinox_module(), np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("build", "params", "says"),
    [
        (nnx_model, LINEAR, r"nothing for \['hidden'\]\['bias'\]; .*, which does not belong to it"),
        (equinox_module, WIDE, r"got .out.bias of shape \(3,\) for \(2,\)\. Start from"),
    ],
    ids=["nnx", "equinox"],
)
def test_parameters_of_another_model_are_refused_by_path(build, params, says):
    with pytest.raises(ValueError) as raised:
        lo.fit(build(), TRAIN, loss="cross_entropy", tx=SGD, steps=1, params=params)
    assert re.search(says, str(raised.value))
