"""A loss is a real number per example, and depends on that example alone."""

import re
import warnings

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.training import Problem
from lecture_optax.training.checks.likely_mistakes import square_message
from lecture_optax.training.checks.loss import mixes_examples
from lecture_optax.training.checks.targets import _refuse_misread_classes

from ..models import ADAM, X, Y

pytestmark = pytest.mark.usefixtures("untyped")
LABELS = Y.astype(np.float32)
CLASSES = optax.softmax_cross_entropy_with_integer_labels
ONE = jax.ShapeDtypeStruct((16, 1), np.float32)
TWO = jax.ShapeDtypeStruct((16, 2), np.float32)
TOKENS = jax.ShapeDtypeStruct((16, 3, 5), np.float32)
IDS = {
    "id": np.arange(300).reshape(100, 3) % 5,
    "mask": np.float32(np.arange(300).reshape(100, 3) % 7 > 1),
}
COLUMN = LABELS[:, None]


def over(loss):
    """The losses of tokens over their number, as a batch or an example counts it."""
    return lambda p, t: CLASSES(p, t["id"]) * t["mask"] / loss(t["mask"])


MIXED = {
    "(n, 1) - (n,)": (lambda p, t: (p - t) ** 2, ONE, LABELS),
    "(n,) - (n, 1)": (lambda p, t: (p[:, 0] - t) ** 2, ONE, COLUMN),
    "the mean of (n, n)": (lambda p, t: jnp.abs(p - t).mean(1), ONE, LABELS),
    "a broadcast of optax": (optax.huber_loss, ONE, LABELS),
    "log of a probability": (lambda p, t: -jnp.log(jnp.where(t == 1, p, 1 - p)), ONE, LABELS),
    "a variance": (lambda p, t: (p - t) ** 2 / jnp.var(t), ONE, COLUMN),
    "a cumulative sum": (lambda p, t: (jnp.cumsum(p, 0) - t) ** 2, ONE, COLUMN),
    "the wrong axis": (lambda p, t: CLASSES(jax.nn.log_softmax(p, axis=0), t), TWO, Y),
    "contrastive": (lambda p, t: -jnp.diagonal(jax.nn.log_softmax(p @ p.T)), TWO, Y),
    "tokens over those of the batch": (over(lambda mask: mask.mean()), TOKENS, IDS),
}
SEPARATE = {
    "a square": (lambda p, t: (p - t) ** 2, ONE, COLUMN),
    "classes": (CLASSES, TWO, Y),
    "weights of classes": (lambda p, t: CLASSES(p, t) * jnp.array([1.0, 9.0])[t], TWO, Y),
    "losses per token": (over(lambda mask: 1.0), TOKENS, IDS),
    "tokens over those of the example": (
        over(lambda mask: jnp.maximum(mask.sum(1, keepdims=True), 1)),
        TOKENS,
        IDS,
    ),
    "not a number": (lambda p, t: jnp.log(-jnp.abs(p)) * t, ONE, COLUMN),
    "constant": (lambda p, t: 0 * p, ONE, COLUMN),
    "one target in all": (lambda p, t: (p - t) ** 2, ONE, LABELS * 0 + 2),
    "without a target": (lambda p, t: p**2, ONE, None),
    "one number": (lambda p, t: jnp.mean((p - t) ** 2), ONE, COLUMN),
    "of one size": (lambda p, t: (p.reshape(64, 1) - t) ** 2, ONE, COLUMN),
    "two outputs": (lambda p, t: (p["a"] + p["b"]).sum(-1) * t, {"a": TWO, "b": TWO}, Y),
}


@pytest.mark.parametrize("name", [*MIXED, *SEPARATE])
def test_a_probe_tells_a_loss_that_mixes_examples(name):
    assert mixes_examples(*{**MIXED, **SEPARATE}[name]) is (name in MIXED)


def message(loss, data=(X, LABELS), model=None):
    with pytest.raises((TypeError, ValueError)) as raised:
        lo.fit(model or nn.Dense(1), data, loss=loss, tx=ADAM, steps=1)
    return str(raised.value)


def test_a_loss_that_mixes_examples_is_refused_with_both_shapes_and_the_way_out():
    says = message(lambda p, t: (p - t) ** 2)
    assert "predictions of shape (64, 1) and targets of shape (64,)" in says
    assert "y[:, None]" in says and "Problem.from_functions" in says


WEIGHTS = np.linspace(0.1, 1, 64).astype(np.float32)


def test_weights_of_the_data_in_a_loss_are_refused_as_batches_are_in_random_order():
    def weighed(p, t):
        return WEIGHTS[:, None] * (p - t[:, None]) ** 2

    def of_one_size(p, t):
        return (p.reshape(64, 1) - t.reshape(64, 1)) ** 2

    assert "must not depend on the place of an example" in message(weighed)
    result = lo.fit(nn.Dense(1), (X, LABELS), loss=of_one_size, tx=ADAM, steps=1)
    assert np.isfinite(result.history["loss"]).all()
    valid = X[:28] + 1, LABELS[:28]
    with pytest.raises(TypeError, match=r"loss fails for predictions of shape \(28, 1\)"):
        lo.fit(nn.Dense(1), (X, LABELS), loss=of_one_size, valid=valid, tx=ADAM, steps=1)


def indexed(p, t):
    return -jax.nn.log_softmax(p)[jnp.arange(len(t)), t]


def named(p, t):
    return CLASSES(p, t)


def summed(p, t):
    return named(p, t).sum(-1)


MISREAD = {
    "-1 by optax": (named, TWO, -1, "that of class 1"),
    "-1 by an index": (indexed, TWO, -1, "that of class 1"),
    "2 by optax": (named, TWO, 2, "NaN"),
    "2 by an index": (indexed, TWO, 2, "that of class 1"),
    "-100 by an index": (indexed, TWO, -100, "that of class 0"),
    "tokens": (summed, TOKENS, -1, "that of class 4"),
    "one head": (lambda p, t: named(p["a"], t), {"a": TWO, "b": TWO}, -1, "that of class 1"),
}
LEFT_OUT = {
    "where": (lambda p, t: jnp.where(t >= 0, named(p, t), 0), TWO, -100),
    "a product": (lambda p, t: named(p, jnp.maximum(t, 0)) * (t >= 0), TWO, -1),
    "tokens": (lambda p, t: (named(p, t) * (t >= 0)).sum(-1), TOKENS, -1),
    "thresholds": (lambda p, t: (p * (t[:, None] > jnp.arange(2))).sum(-1), TWO, 2),
    "no classes": (lambda p, t: jnp.square(p - t[:, None]).sum(-1), TWO, -1),
    "not used": (lambda p, t: p.sum(-1), TWO, -1),
}


def misread(loss, prediction, value):
    tokens = prediction is TOKENS
    y = np.where(np.arange(100) == 7, value, Y)
    y = np.stack([y, Y, Y], 1) if tokens else y
    return _refuse_misread_classes("y", loss, prediction, y.astype(np.int32), set())


@pytest.mark.parametrize("name", MISREAD)
def test_classes_that_a_loss_of_your_own_misreads_are_refused(name):
    *given, says = MISREAD[name]
    with pytest.raises(ValueError, match=rf"y must be classes from 0 .* in row 7, .* {says}\."):
        misread(*given)


def test_those_of_later_batches_are_too():
    batches = [(X[:16], Y[:16] - later) for later in (0, 0, 1)]
    with pytest.raises(ValueError, match=r"the batch of step 3: y must be classes from 0 to 1"):
        lo.fit(nn.Dense(2), batches, loss=named, tx=ADAM, steps=3)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_those_that_it_leaves_out_are_not(name):
    misread(*LEFT_OUT[name])


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda p, t: jax.lax.complex(p, p), "loss must return real numbers, got complex64"),
        (lambda p, t: p[:, 0] > t, "loss must return floating-point numbers, got bool"),
        (lambda p, t: None, "loss must return one number per example, .* got NoneType"),
        (lambda p, t: ((p - t) ** 2).mean(), "loss must return one number per example"),
        (optax.l2_loss, r"loss fails for predictions of shape \(64, 1\) and targets .* \(64,\)"),
        (lambda p, t: p["logits"], "loss fails for predictions of shape"),
    ],
)
def test_a_loss_without_a_gradient_or_a_number_per_example_is_refused(loss, says):
    assert re.search(says, message(loss))


def plain(loss):
    return Problem.from_functions(init=lambda key: jnp.ones((4, 1)), loss=loss, train=(X, LABELS))


def test_losses_of_plain_functions_with_an_entry_per_pair_are_warned_of():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lo.fit(plain(lambda θ, batch: (batch[0] @ θ - batch[1]) ** 2), tx=ADAM, steps=1)
    (warning,) = caught
    assert "one entry per pair of examples" in str(warning.message)
    for loss in (lambda θ, batch: (batch[0] @ θ)[:, 0], lambda θ, batch: jnp.mean(batch[0] @ θ)):
        assert square_message(plain(loss), jnp.ones((4, 1)), {}) is None


def test_a_loss_of_plain_functions_that_is_no_array_is_refused():
    for found in (None, (1.0, 2.0)):
        with pytest.raises(TypeError, match="loss must return an array of numbers"):
            lo.fit(plain(lambda θ, batch, found=found: found), tx=ADAM, steps=1)
