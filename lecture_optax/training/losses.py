"""Losses and metrics by name, each one number per example."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from .._core import validate
from .._core.dtypes import as_array, dtype_of
from .._core.numerics import abs_squared, magnitude
from .._core.types import TypeAliasType
from .._core.validate import nearest

PerExample = Callable[..., Any]
"""(prediction, target) -> one number per example, the examples along the first axis."""

Loss = TypeAliasType("Loss", str | PerExample)
"""The name of a loss, or a function."""

Metrics = TypeAliasType("Metrics", Sequence[str | PerExample] | Mapping[str, PerExample])
"""Names of metrics and functions, or functions by name."""


def cross_entropy(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return -log softmax(prediction)[target]; the target is a class or a distribution."""
    if jnp.issubdtype(dtype_of(target), jnp.integer):
        _same_shape("cross_entropy", prediction.shape[:-1], target, "one class per example")
        return optax.losses.softmax_cross_entropy_with_integer_labels(prediction, target)
    _same_shape("cross_entropy", prediction.shape, target, "a distribution, or integer classes")
    return optax.losses.softmax_cross_entropy(prediction, as_array(target, prediction.dtype))


def binary_cross_entropy(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return -log of the probability of a target in [0, 1], by a sigmoid of `prediction`."""
    _same_shape("binary_cross_entropy", prediction.shape, target, "a target per logit")
    target = as_array(target, prediction.dtype)
    return optax.losses.sigmoid_binary_cross_entropy(prediction, target)


def mse(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return |prediction - target|², without a half."""
    _same_shape("mse", prediction.shape, target, "a target per prediction")
    x = _difference(prediction, target)
    return abs_squared(x) if jnp.iscomplexobj(x) else optax.losses.squared_error(x)


def mae(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return |prediction - target|."""
    _same_shape("mae", prediction.shape, target, "a target per prediction")
    return magnitude(_difference(prediction, target))


def huber(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return |prediction - target|²/2 within 1 of the target, and linear beyond."""
    _same_shape("huber", prediction.shape, target, "a target per prediction")
    x = _difference(prediction, target)
    return optax.losses.huber_loss(magnitude(x) if jnp.iscomplexobj(x) else x)


def _difference(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return prediction - target in the dtype of the prediction, complex if the target is."""
    if not jnp.iscomplexobj(target):
        return prediction - as_array(target, prediction.dtype)
    with jax.numpy_dtype_promotion("standard"):
        return prediction - target


def accuracy(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return 1 where the largest logit, or the sign of the only one, is right, else 0."""
    if prediction.shape == target.shape and jnp.issubdtype(dtype_of(target), jnp.floating):
        right = (prediction > 0) == (target > 0.5)
    elif prediction.shape == target.shape:
        right = (prediction > 0) == (target > 0)
    else:
        _same_shape("accuracy", prediction.shape[:-1], target, "one class per example")
        right = jnp.argmax(prediction, -1) == target
    return as_array(right, jnp.float32)


def class_accuracy(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Return 1 where the largest logit is that of the class or of the likeliest one, else 0."""
    is_distribution = target.shape == prediction.shape
    return accuracy(prediction, jnp.argmax(target, -1) if is_distribution else target)


LOSSES: Mapping[str, PerExample] = {
    f.__name__: f for f in (cross_entropy, mse, mae, huber, binary_cross_entropy)
}
METRICS: Mapping[str, PerExample] = {**LOSSES, "accuracy": accuracy}

OF_CLASSES = (cross_entropy, optax.softmax_cross_entropy_with_integer_labels)
OF_DISTRIBUTIONS = (cross_entropy, optax.softmax_cross_entropy)
OF_PROBABILITIES = (binary_cross_entropy, optax.sigmoid_binary_cross_entropy)
"""The losses of classes, of distributions over them, and of probabilities."""


def loss_named(loss: Any) -> PerExample:
    """Return the per-example loss of a name, or a function as it is."""
    if not callable(loss):
        return _named("loss", loss, LOSSES)
    validate.function(takes=2, or_more=True, loss=loss)
    return loss


def metric_named(argument: str, metric: Any) -> PerExample:
    """Return the metric of a name, or a function as it is."""
    return metric if callable(metric) else _named(argument, metric, METRICS)


def _named(argument: str, name: Any, table: Mapping[str, PerExample]) -> PerExample:
    words = ", ".join(repr(word) for word in table)
    advice = f"one of {words}, or a function of (prediction, target), one number per example"
    if hasattr(name, "shape"):
        raise TypeError(
            f"{argument} must be {advice}, got an array: the data are one argument, the pair "
            "(x, y)."
        )
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be {advice}, got {name!r}.")
    if name not in table:
        meant = SYNONYMS.get(name.lower(), name.lower())
        near = meant if meant in table else nearest(meant, [*table])
        guess = f" Did you mean {near!r}?" if near else ""
        raise ValueError(f"{argument} must be {advice}, got {name!r}.{guess}")
    return table[name]


SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("ce", "nll", "log_loss", "softmax_cross_entropy"), "cross_entropy"),
    **dict.fromkeys(("categorical_crossentropy", "nll_loss"), "cross_entropy"),
    "sparse_categorical_crossentropy": "cross_entropy",
    **dict.fromkeys(("bce", "bcewithlogits", "bce_with_logits"), "binary_cross_entropy"),
    **dict.fromkeys(("mean_squared_error", "squared_error", "l2"), "mse"),
    **dict.fromkeys(("mean_absolute_error", "absolute_error", "l1"), "mae"),
    **dict.fromkeys(("smooth_l1", "smoothl1"), "huber"),
    "acc": "accuracy",
}
"""What other libraries call the losses and metrics."""


def _same_shape(loss: str, expected: tuple[int, ...], target: Any, what: str) -> None:
    """Refuse shapes that broadcast: (n, 1) against (n,) compares every example with every other."""
    if jnp.shape(target) != expected:
        raise ValueError(
            f"{loss} needs {what}, of shape {expected}, got a target of shape {jnp.shape(target)} "
            f"({dtype_of(target)}): reshape y, or change the last layer of the model."
        )
