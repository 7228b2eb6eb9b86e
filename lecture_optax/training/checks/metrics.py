"""Which metrics are means over examples, and which need all predictions at once."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax

from ..._core.dtypes import widen
from .._trees import shapes_of_rows
from ..metrics import host_metric, in_order, names_of, takes_logits
from ..problem import Problem
from .loss import mixes_examples

_SIZES = (3, 4)
"""The examples of two probes: an array of either length has one number per example."""


def with_metrics(problem: Problem, params: Any, model_state: Any) -> Problem:
    """Return the problem with those of its own metrics that return one number per example among
    `functions.examples`, and the others in `metrics`.

    The metrics are traced; those of (prediction, target) that return one number per example are
    computed for a few examples, to find out whether they mix them.

    **Raises** `ValueError` for a metric with an entry for every pair of examples, and `TypeError`
    for one that scores an estimator.
    """
    each, whole = [], []
    for name, function in problem.metrics:
        function = _of_logits(problem, params, model_state, function)
        is_mean = _is_mean_over_examples(problem, params, model_state, name, function)
        (each if is_mean else whole).append((name, function))
    if each:
        own = tuple((name, f if problem.per_example is None else in_order(f)) for name, f in each)
        functions = problem.functions._replace(examples=problem.examples_with(own))
        problem = replace(problem, functions=functions)
    return replace(problem, metrics=tuple(whole))


def _of_logits(problem: Problem, params: Any, model_state: Any, function: Any) -> Any:
    """Return a function of (y_true, y_pred) that takes logits as one of (prediction, target)."""
    if problem.per_example is None or host_metric(function) is None:
        return function
    x, y = problem.train
    assert problem.functions.predict is not None  # a model has one
    few = shapes_of_rows(x, _SIZES[-1])
    prediction = jax.eval_shape(problem.functions.predict, params, model_state, few)
    return in_order(function) if takes_logits(function, prediction, y) else function


def _is_mean_over_examples(
    problem: Problem, params: Any, model_state: Any, name: str, function: Callable[..., Any]
) -> bool:
    if names_of(function)[0] == "estimator":
        raise TypeError(
            f"metrics[{name!r}] must be a function of (y_true, y_pred), got a scorer of an "
            "estimator: pass the function of sklearn.metrics itself."
        )
    if problem.per_example is None:

        def shapes(rows):
            return jax.eval_shape(function, params, shapes_of_rows(problem.train, rows))

        return _per_example(shapes) is not None
    if host_metric(function) is not None:
        return False
    ordered, predict = in_order(function), problem.functions.predict
    assert predict is not None  # a model has one
    x, y = problem.train

    def shapes_of(rows):
        prediction = jax.eval_shape(predict, params, model_state, shapes_of_rows(x, rows))
        return jax.eval_shape(
            lambda p, t: ordered(widen(p), t), prediction, shapes_of_rows(y, rows)
        )

    if (found := _per_example(shapes_of)) is None:
        return False
    prediction = jax.eval_shape(predict, params, model_state, shapes_of_rows(x, _SIZES[-1]))
    if not mixes_examples(ordered, prediction, y):
        return True
    if found.ndim > 1 and found.shape[1] == found.shape[0]:
        raise ValueError(
            f"metrics[{name!r}] must return one number per example, got {tuple(found.shape)} for "
            f"{_SIZES[-1]} examples, an entry for every pair of them: (n, 1) and (n,) broadcast to "
            "(n, n). Make the shapes equal, by y[:, None] or prediction[:, 0]."
        )
    return False


def _per_example(shapes: Callable[[int], Any]) -> Any:
    """Return the shape of a metric that has one number per example, or None."""
    found = None
    for rows in _SIZES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = shapes(rows)
        except Exception:  # a function on the host may raise anything when it is traced
            return None
        if not hasattr(found, "shape") or found.shape[:1] != (rows,):
            return None
    return found
