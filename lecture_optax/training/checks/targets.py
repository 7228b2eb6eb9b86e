"""Checks of the targets against the loss: classes, distributions, probabilities and shapes."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import ShapeDtypeStruct

from ..._core.dtypes import dtype_of, widen
from .. import losses
from .._trees import by_path, shapes_of_rows
from ..conversion.arrays import if_cast_nan
from ..problem import Problem
from .data import on_host
from .inputs import outside

ENOUGH = 2**24
"""The entries of a prediction beyond which a loss is not computed to see how it reads a class."""


def check_one_target(problem: Problem) -> None:
    """Refuse several targets, or none, for a loss by name."""
    y = problem.train[1] if problem.per_example is not None else None
    if problem.per_example in losses.LOSSES.values() and not _is_one_array(y):
        name = next(name for name, f in losses.LOSSES.items() if f is problem.per_example)
        raise TypeError(
            f"y must be one array for loss={name!r}, got {_kind_of_tree(y)}: pass one of them, or "
            "a loss of your own, a function of (prediction, y). If the data are a list of batches, "
            "join them by numpy.concatenate."
        )


def check_targets(
    problem: Problem, params: Any, model_state: Any, rows: int
) -> Callable[[Any], None]:
    """Refuse training and validation targets that the loss would misread.

    The prediction for a batch of `rows` examples is traced, not computed: its shape is enough.

    **Returns** a function that refuses such targets of another batch, if they lie on the host.
    """
    loss = problem.per_example
    if loss is None or problem.functions.predict is None:
        return _nothing

    x, y = shapes_of_rows(tuple(problem.train), rows)
    is_own, passed = loss not in losses.LOSSES.values(), set()
    prediction = jax.eval_shape(problem.functions.predict, params, model_state, x)
    for name, data in (("y", problem.train), ("valid's y", problem.valid)):
        if data is not None and _is_one_array(prediction) and _is_one_array(data[1]):
            _check(name, loss, prediction, data[1])
        if data is not None and is_own:
            _refuse_misread_classes(name, loss, prediction, data[1], passed)
    if problem.valid is not None:
        jax.eval_shape(problem.functions.examples, params, model_state, (x, y))  # the metrics

    return functools.partial(_check_batch, loss, prediction, passed if is_own else None)


def _nothing(batch: Any) -> None:
    """A problem of plain functions has no targets that could be checked."""


def _check_batch(loss: Any, prediction: Any, passed: set[Any] | None, batch: Any) -> None:
    if isinstance(batch[1], np.ndarray) and _is_one_array(prediction):
        _check("y", loss, prediction, batch[1])
    if passed is not None and all(isinstance(y, np.ndarray) for y in jax.tree.leaves(batch[1])):
        _refuse_misread_classes("y", loss, prediction, batch[1], passed)


def _check(name: str, loss: Any, prediction: Any, y: Any) -> None:
    of_real = (*losses.OF_CLASSES, *losses.OF_DISTRIBUTIONS, *losses.OF_PROBABILITIES)
    if loss in of_real and (jnp.iscomplexobj(prediction) or jnp.iscomplexobj(y)):
        raise TypeError(
            f"loss={loss.__name__!r} needs real predictions and targets, got {prediction.dtype} "
            f"from the model and {dtype_of(y)} for {name}: let the model return jnp.abs of its "
            "output, or its real part, and give it a real x if that is meant."
        )
    dtype, like_logits = dtype_of(y), y.shape[1:] == prediction.shape[1:]
    if jnp.issubdtype(dtype, jnp.integer) or dtype == jnp.bool_:
        if loss in losses.OF_CLASSES:
            _check_classes(name, y, prediction)
    elif loss in losses.OF_DISTRIBUTIONS and like_logits:
        _check_distributions(name, y)
    elif loss in losses.OF_CLASSES:
        raise TypeError(
            f"{name} must be integers, one class of {prediction.shape[-1]} per example, got "
            f"{dtype} of shape {tuple(y.shape)}: pass y.astype('int32'), or a distribution of "
            f"shape {(y.shape[0], *prediction.shape[1:])}."
        )
    if loss in losses.OF_PROBABILITIES:
        _refuse_outside(
            name,
            y,
            (0, 1),
            "a probability, 0 or 1 or between",
            "Classes -1 and 1 are (y + 1) / 2; several classes need cross_entropy.",
        )


def _check_classes(name: str, y: Any, prediction: Any) -> None:
    classes = prediction.shape[-1] if prediction.ndim > 1 else 1
    if y.ndim == 1 and prediction.ndim > 2:
        raise ValueError(
            f"x must give one prediction per example, as {name} has one class per example, got "
            f"predictions of shape {tuple(prediction.shape)}: the last layer takes the last axis "
            "of x alone. Pass x.reshape(len(x), -1), or flatten or average in the model."
        )
    if y.shape[1:] == (*prediction.shape[1:-1], 1) and classes > 1:
        raise TypeError(
            f"{name} must be one class per example, integers of shape {y.shape[:-1]}, got the shape"
            f" {y.shape}: pass {name}[..., 0] of the array."
        )
    if dtype_of(y) == jnp.bool_ or y.shape[1:] == prediction.shape[1:]:
        raise TypeError(
            f"{name} must be one class per example, integers of shape "
            f"{(y.shape[0], *prediction.shape[1:-1])}, got {dtype_of(y)} of shape {tuple(y.shape)}:"
            " pass y.argmax(-1) of one-hot rows, y.astype('int32') of True and False."
        )
    _refuse_outside(
        name,
        y,
        (0, classes - 1),
        f"a class from 0 to {classes - 1}, as the model has {classes} logits",
        "Subtract 1 if the classes start at 1, or widen the last layer if there are more. Remove "
        "examples without a class, or give them weight 0 and class 0.",
    )


def _refuse_misread_classes(
    name: str, loss: Any, prediction: Any, y: Any, passed: set[tuple[str, int, int]]
) -> None:
    """Refuse classes that a loss of your own takes for others, or of which its value is NaN.

    Class -1 is the last one where logits are indexed by it, and one beyond the last is clipped. A
    loss that leaves such examples out does not follow their logits, and passes.

    `passed`: what passed before, and is not computed again; it grows.
    """
    logits = {(p.shape[1:-1], p.shape[-1]) for p in jax.tree.leaves(prediction) if p.ndim > 1}
    for path, labels in by_path(y, name).items():
        if not isinstance(labels, np.ndarray | jax.Array) or labels.dtype.kind not in "iu":
            continue
        sizes = sorted(n for shape, n in logits if shape == labels.shape[1:] and n > 1)
        values = on_host(labels) if sizes and labels.size else None
        if values is None:
            continue
        for classes in sizes:
            for value in {int(values.min()), int(values.max())} - {*range(classes)}:
                if (path, classes, value) in passed:
                    continue
                if found := _is_misread(loss, prediction, y, labels, value, classes):
                    row = int(np.argwhere(values == value)[0, 0])
                    raise ValueError(
                        f"{path} must be classes from 0 to {classes - 1}, as the model has "
                        f"{classes} logits, got {value} in row {row}, of which the loss is {found}."
                        " Leave such examples out in the loss, by jnp.where(y >= 0, loss, 0), or "
                        "give them another class."
                    )
                passed.add((path, classes, value))


def _is_misread(
    loss: Any, prediction: Any, y: Any, labels: Any, value: int, classes: int
) -> str | None:
    """Return what a loss makes of a class that does not exist, in words, or None."""
    few = jax.tree.map(lambda p: ShapeDtypeStruct((2, *p.shape[1:])[: p.ndim], p.dtype), prediction)
    if sum(p.size for p in jax.tree.leaves(few)) > ENOUGH:
        return None
    row = int(np.argwhere(np.asarray(labels) == value)[0, 0])
    batch = jax.tree.map(lambda a: np.repeat(np.asarray(a[row : row + 1]), 2, 0), y)
    at = next(i for i, a in enumerate(jax.tree.leaves(y)) if a is labels)
    random = np.random.default_rng(0)
    p = jax.tree.map(lambda p: np.asarray(random.uniform(0.1, 0.9, p.shape), p.dtype), few)
    call = jax.jit(lambda p, y: loss(widen(p), y))

    def found(instead):
        leaves = jax.tree.leaves(batch)
        leaves[at] = np.where(leaves[at] == value, instead, leaves[at]).astype(leaves[at].dtype)
        return np.asarray(call(p, jax.tree.unflatten(jax.tree.structure(y), leaves)))

    is_negative = -classes <= value < 0
    other = value + classes if is_negative else int(np.clip(value, 0, classes - 1))
    with jax.debug_nans(False), jax.transfer_guard("allow"):
        try:
            own, same, different = map(found, (value, other, (other + 1) % classes))
            if np.isnan(own).any() and not np.isnan(same).any():
                return "NaN"
        except Exception:  # `check_loss` says what is wrong with it
            return None
        is_same = np.allclose(own, same, rtol=1e-6) and not np.allclose(own, different, rtol=1e-6)
        if is_same and (is_negative or _indexes_beyond(loss, few, batch)):
            return f"that of class {other}"
    return None


def _indexes_beyond(loss: Any, prediction: Any, y: Any) -> bool:
    program = jax.make_jaxpr(lambda p, y: loss(widen(p), y))(prediction, y)
    leaves = jax.tree.leaves(y)
    known = dict(zip(program.jaxpr.invars[-len(leaves) :], leaves, strict=True))
    return outside(program.jaxpr, known) is not None


def _check_distributions(name: str, y: Any) -> None:
    rows = on_host(y)
    if rows is None:
        return
    sums = np.asarray(np.sum(rows, -1, dtype=np.float64))
    bad = (np.abs(sums - 1) > 1e-2) | (rows.min(-1) < 0)
    if bad.any():
        row = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} must be a distribution over the classes per example, >= 0 and of sum 1, got a "
            f"sum of {sums[row]:.4g} and a minimum of {rows[row].min():.4g} in row {row[0]} "
            f"({int(bad.sum())} such rows): several classes at a time need binary_cross_entropy."
        )


def _refuse_outside(name: str, y: Any, bounds: tuple[int, int], allowed: str, advice: str) -> None:
    low, high = bounds
    values = on_host(y)
    if values is None or (values.min() >= low and values.max() <= high):
        return
    bad = (values < low) | (values > high)
    place = tuple(np.argwhere(bad)[0])
    raise ValueError(
        f"{name} must be {allowed}, got {values[place]} in row {place[0]} ({int(bad.sum())} of "
        f"{values.size:,} are outside). {if_cast_nan(values[place]) or advice}"
    )


def _kind_of_tree(x: Any) -> str:
    return f"a {type(x).__name__} of {len(jax.tree.leaves(x))} arrays" if x is not None else "None"


def _is_one_array(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")
