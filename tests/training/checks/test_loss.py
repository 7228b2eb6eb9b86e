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
