"""Metrics of all predictions at once: F1, R² and AUC are no means over examples.

A function of (prediction, target) that returns one number per example is averaged over the parts of
a validation set. Any other metric is called once, with the predictions for the whole set.

The functions of scikit-learn take the target first, and classes or probabilities in place of
logits. They are recognised by the names of their arguments, and called as these names say.
"""

import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy  # loads scipy.special, which takes long, where it is used

from .._core.dtypes import dtype_of
from . import losses
from ._cached import cached

TARGETS = {
    *("y", "y_true", "true", "truth", "ground_truth", "target", "targets", "label", "labels"),
    *("t", "actual", "actuals", "expected", "reference", "observed", "y_test", "labels_true"),
}
PREDICTIONS = {
    *("p", "y_pred", "pred", "preds", "predicted", "prediction", "predictions", "logit", "logits"),
    *("output", "outputs", "y_hat", "yhat", "forecast", "estimate", "estimates"),
    *("y_score", "y_prob", "y_proba", "labels_pred"),
}
"""What the two arguments of a loss or a metric are called."""

CLASSES = {("y_true", "y_pred"), ("labels_true", "labels_pred"), ("y1", "y2")}
SCORES = {("y_true", name) for name in ("y_score", "y_prob", "y_proba")}
DECISIONS = {("y_true", "pred_decision")}
"""How scikit-learn calls a target, and classes, probabilities or logits beside it."""

OF_PROBABILITIES = ("log_loss", "d2_log_loss_score")
"""Functions of scikit-learn whose `y_pred` are probabilities."""


class HostMetric(NamedTuple):
    """A metric as scikit-learn has them: of NumPy arrays, the target first.

    `takes`: "classes", "probabilities" or "logits".
    """

    function: Callable[..., Any]
    takes: str


def names_of(function: Any) -> tuple[str, str]:
    """Return the names of the first two arguments by position, "" where there is none."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function without a signature
        return "", ""
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    first, second = [*names, "", ""][:2]
    return first, second


def host_metric(function: Any) -> HostMetric | None:
    """Return a function like those of scikit-learn with what it takes, or None for another one."""
    names = names_of(function)
    own = getattr(getattr(function, "func", function), "__name__", "")
    if names in SCORES or (names in CLASSES and own in OF_PROBABILITIES):
        return HostMetric(function, "probabilities")
    if names in DECISIONS:
        return HostMetric(function, "logits")
    return HostMetric(function, "classes") if names in CLASSES else None


@cached
def in_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of (prediction, target): the same, or one whose names say (target, ...)."""
    first, second = names_of(function)
    if first not in TARGETS or second not in PREDICTIONS:
        return function

    def ordered(prediction, target):
        return function(target, prediction)

    ordered.__name__ = getattr(function, "__name__", "function")
    return ordered


def named_metrics(metrics: Any, loss: Any) -> tuple[tuple[str, Callable[..., Any]], ...]:
    """Return (name, function) pairs; by default the accuracy where the loss is of classes.

    **Raises** `TypeError` or `ValueError` that names the metric.
    """
    if metrics is None:
        metrics = ("accuracy",) if loss in ("cross_entropy", "binary_cross_entropy") else ()
    if isinstance(metrics, Mapping):
        pairs = list(metrics.items())
    elif isinstance(metrics, list | tuple):
        pairs = [(_name_of(metric), metric) for metric in metrics]
    else:
        raise TypeError(
            f"metrics must be a list of names and functions, or a dict of functions, got "
            f'{metrics!r}. One metric is ["accuracy"], your own is {{"name": function}}.'
        )
    names = [name for name, _ in pairs]
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"metrics must have names that are strings, got {name!r}.")
        if name == "loss" or names.count(name) > 1:
            raise ValueError(f"metrics must have different names, and none is 'loss', got {names}.")
    found = ((name, losses.metric_named(f"metrics[{name!r}]", f)) for name, f in pairs)
    is_of_classes = loss in ("cross_entropy", *losses.OF_CLASSES, *losses.OF_DISTRIBUTIONS)
    accuracy = losses.class_accuracy if is_of_classes else losses.accuracy
    return tuple((name, accuracy if f is losses.accuracy else f) for name, f in found)


ENOUGH = 2**24
"""The entries of a prediction beyond which a metric of your own is not tried with logits."""


def is_of_scikit_learn(function: Any) -> bool:
    """Whether a function, or the function of a `functools.partial`, comes from scikit-learn."""
    module = getattr(getattr(function, "func", function), "__module__", None)
    return f"{module}".partition(".")[0] == "sklearn"


def takes_logits(function: Any, prediction: Any, target: Any) -> bool:
    """Whether a function of your own with the names of scikit-learn takes logits (n, classes).

    It is called with random logits, of two numbers of examples: one that compares classes fails, as
    (n, classes) and (n,) do not fit.
    """
    host = host_metric(function)
    is_own = host is not None and host.takes == "classes" and not is_of_scikit_learn(function)
    if not is_own or not hasattr(prediction, "shape") or not hasattr(target, "shape"):
        return False
    is_of_classes = prediction.ndim == target.ndim + 1 and prediction.shape[-1] > 1
    if not is_of_classes or prediction.shape[1:-1] != target.shape[1:]:
        return False
    random, classes = np.random.default_rng(0), prediction.shape[-1]
    if classes * math.prod(prediction.shape[1:]) > ENOUGH:
        return False
    for rows in (classes + 2, classes + 3):
        logits = random.normal(size=(rows, *prediction.shape[1:])).astype(np.float32)
        some = np.resize(np.arange(classes), logits.shape[:-1]).astype(dtype_of(target))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = np.asarray(function(some, logits))
        except Exception:  # a function of the user may raise anything
            return False
        if found.dtype.kind not in "biuf" or (found.ndim and found.shape[0] != rows):
            return False
    return True


def _name_of(metric: Any) -> Any:
    """Return the name of a metric in a list: the name itself, or that of a function."""
    if not callable(metric):
        return metric if isinstance(metric, str) else losses.metric_named("metrics", metric)
    name = getattr(getattr(metric, "func", metric), "__name__", "<lambda>")
    if name == "<lambda>":
        raise TypeError(
            f"metrics must have names, got {metric!r} in a list, which has none: pass "
            '{"name": function}.'
        )
    return name


def value_of(
    name: str, function: Any, arguments: Callable[[], tuple], rows: int
) -> dict[str, float]:
    """Return what a metric of all examples returns, as numbers by name.

    **Arguments**

    - `arguments`: returns the arguments of the function.
    - `rows`: the number of examples.

    **Raises** `TypeError` or `ValueError` that names the metric.
    """
    given: tuple = ()
    try:
        given = arguments()
        found = function(*given)
    except Exception as error:  # a function of the user or of another library may raise anything
        kind = TypeError if isinstance(error, TypeError | AttributeError) else ValueError
        line = " ".join((str(error) or type(error).__name__).split()).rstrip(".")
        shapes = " and ".join(str(jax.tree.map(np.shape, x)) for x in given)
        raise kind(
            f"metrics[{name!r}] fails for the arguments of shapes {shapes}: {line}. It is called "
            "with the predictions and the targets of the whole validation set: wrap it in a "
            "function of (prediction, target) that prepares both."
        ) from error
    if not isinstance(found, Mapping):
        return {name: _number(name, found, rows)}
    return {f"{name}_{key}": _number(name, value, rows) for key, value in found.items()}


def _number(name: str, value: Any, rows: int) -> float:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        array = np.asarray(None)
    is_real = array.dtype.kind in "biuf" or jnp.issubdtype(array.dtype, jnp.floating)
    if not is_real or (array.ndim and array.shape[0] != rows):
        what = f"shape {array.shape}" if is_real else repr(value)[:80]
        raise (ValueError if is_real else TypeError)(
            f"metrics[{name!r}] must return one number, a dict of numbers, or one number per "
            f"example, got {what}. (Those of scikit-learn return one number of all classes with "
            "average='macro'.)"
        )
    return float(np.mean(array, dtype=np.float64))


def host_arguments(loss: Any, takes: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return (target, prediction) as a function like those of scikit-learn takes them."""
    prediction, target = np.asarray(prediction), np.asarray(target)
    is_binary = loss in losses.OF_PROBABILITIES
    has_classes = prediction.ndim == target.ndim + 1 and target.dtype.kind in "iub"
    if loss in losses.OF_DISTRIBUTIONS and target.shape == prediction.shape and not has_classes:
        if not (target.max(-1) == 1).all():
            raise ValueError("the targets are distributions, and no classes.")
        target, has_classes = target.argmax(-1), True
    if has_classes and prediction.shape[-1] == 1:
        prediction, has_classes, is_binary = prediction[..., 0], False, True
    if is_binary and np.isin(target, (0, 1)).all():
        target = target.astype(np.int32)
    if has_classes:
        prediction = _of_logits(takes, prediction)
        prediction = prediction.reshape(target.size, *prediction.shape[target.ndim :])
        return target.reshape(-1), prediction
    if is_binary and takes == "classes":
        prediction = (prediction > 0).astype(np.int32)
    if is_binary and takes == "probabilities":
        prediction = scipy.special.expit(np.asarray(prediction, np.float64))
    if prediction.size == len(prediction) == target.size:  # (n, 1) beside (n,)
        return target.reshape(-1), prediction.reshape(-1)
    return target, prediction


def _of_logits(takes: str, logits: np.ndarray) -> np.ndarray:
    if takes == "classes":
        return logits.argmax(-1)
    if takes == "probabilities":
        logits = scipy.special.softmax(np.asarray(logits, np.float64), -1)
    if logits.shape[-1] > 2:
        return logits
    return logits[..., 1] if takes == "probabilities" else logits[..., 1] - logits[..., 0]


def is_built_in(function: Any) -> bool:
    """Whether a metric is one of this library, which returns one number per example."""
    return any(function is x for x in (*losses.METRICS.values(), losses.class_accuracy))
