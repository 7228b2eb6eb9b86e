"""Checks of the loss: real numbers with a gradient, and one example at a time."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.dtypes import widen
from .. import losses
from .._trees import shapes_of_rows, take_rows
from ..problem import Problem
from .data import on_host

_ENOUGH = 2**26
"""The entries of a prediction beyond which a loss is not probed: it would take seconds."""


def check_loss(
    problem: Problem, params: Any, model_state: Any, rows: int, sizes: Iterable[int] = ()
) -> None:
    """Refuse a loss that is not a real number per example, or has no gradient.

    Everything is traced for a batch of `rows` examples; only a loss of your own, of (prediction,
    target), is computed for a few examples, to refuse one that mixes them.

    `sizes`: the numbers of examples that an evaluation takes.
    """
    functions, loss = problem.functions, problem.per_example
    batch = shapes_of_rows(problem.train, rows)
    if loss is None or functions.predict is None:
        found = jax.eval_shape(functions.examples, params, model_state, batch)["loss"]
        _refuse_what_has_no_gradient(found)
        return
    x, y = batch
    prediction = jax.eval_shape(functions.predict, params, model_state, x)
    found = _losses_of(loss, prediction, y)
    if not _is_one_array(found) or found.ndim == 0 or found.shape[0] != rows:
        raise ValueError(
            "loss must return one number per example, along the first axis, got "
            f"{_shape_of(found)} for {rows} examples: return the losses before their mean or sum "
            "is taken."
        )
    _refuse_what_has_no_gradient(found)
    if loss in losses.LOSSES.values():
        return
    match _probed(loss, prediction, problem.train[1]):
        case "mixes":
            raise ValueError(_mixes(found, prediction, y))
        case "place":
            raise ValueError(
                "loss must not depend on the place of an example in the batch, as batches are in "
                "random order: one number per example of the data belongs to sample_weight, or to "
                "y, as a tree {'target': y, 'weight': w}."
            )
    for n in sizes:
        few = jax.tree.map(lambda p, n=n: shapes_of_rows(p, n) if p.ndim else p, prediction)
        _losses_of(loss, few, shapes_of_rows(y, n))


def _losses_of(loss: Callable[..., Any], prediction: Any, y: Any) -> Any:
    """Return the shape of the losses of a batch; an error of the user's loss names both shapes."""
    try:
        return jax.eval_shape(lambda p, y: loss(widen(p), y), prediction, y)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        if loss in losses.LOSSES.values():  # they say what to do
            raise
        raise _kind(error)(
            f"loss fails for predictions of shape {_shape_of(prediction)} and targets of shape "
            f"{_shape_of(y)}: {type(error).__name__}: {' '.join(str(error).split())} It is called "
            "as loss(prediction, target): change the loss, y, or the last layer of the model."
        ) from error


def _kind(error: Exception) -> type[Exception]:
    return TypeError if isinstance(error, TypeError | AttributeError) else ValueError


def _mixes(found: Any, prediction: Any, y: Any) -> str:
    shapes = f"predictions of shape {_shape_of(prediction)} and targets of shape {_shape_of(y)}"
    is_broadcast = found.shape[:1] == found.shape[1:2]
    way_out = (
        "(n, 1) and (n,) broadcast to (n, n), say. Make the shapes equal, by y[:, None] or "
        "prediction[:, 0]."
        if is_broadcast
        else "take sums, means and maxima over all axes but the first."
    )
    return (
        "loss must return one number per example, which depends on no other example, got "
        f"{_shape_of(found)} with entries that depend on several, for {shapes}: {way_out} A loss "
        "that compares the examples of a batch is for training.Problem.from_functions(loss=...), "
        "where it returns the mean of the batch."
    )


def mixes_examples(function: Callable[..., Any], prediction: Any, targets: Any) -> bool:
    """Return whether an entry of `function(prediction, target)` depends on another example.

    A few examples of `targets` meet random predictions, like logits and like probabilities. Then
    the prediction and the target of the first change: only its own entries may follow. A function
    that returns one number is taken to mix none.

    **Arguments**

    - `prediction`: the shapes and dtypes of a batch of predictions; its values are not used.
    - `targets`: all targets, of which different ones are taken.
    """
    return _probed(function, prediction, targets) == "mixes"


def _probed(function: Callable[..., Any], prediction: Any, targets: Any) -> str | None:
    """Return "mixes" for a function that mixes examples, and "place" for one that takes batches of
    one size, and other values if their examples change places.
    """
    leaves = [p for p in jax.tree.leaves(prediction) if p.ndim]
    size = sum(int(np.prod(p.shape[1:])) for p in leaves)
    rows = leaves[0].shape[0] if leaves else 0
    different = _different_rows(targets)
    if different is None or not leaves:
        return None
    call = jax.jit(lambda p, y: function(widen(p), y))
    with jax.debug_nans(False), jax.transfer_guard("allow"):
        for few in (_FEW, rows):
            if few < 2 or few * size >= _FEW * _ENOUGH:
                continue
            try:
                return _verdict(call, prediction, targets, different, few)
            except (TypeError, ValueError):  # of a function of batches of one size, say
                continue
    return None


def _verdict(
    call: Callable[..., Any], prediction: Any, targets: Any, different: np.ndarray, few: int
) -> str | None:
    """Return what `_probed` does, of a batch of so many examples.

    **Raises** what the function does.
    """
    random = np.random.default_rng(0)
    first, others = different[:_FEW], different[_FEW:]
    usual = np.resize(first, few)
    for draw, other in zip((_like_logits, _like_probabilities) * 2, others, strict=False):
        pairs = jax.tree.map(lambda p, f=draw: _with_a_changed_row(f, random, p, few), prediction)
        one, changed = (jax.tree.map(lambda _, x, i=i: x[i], prediction, pairs) for i in (0, 1))
        before = np.asarray(call(one, take_rows(targets, usual)))
        after = np.asarray(call(changed, take_rows(targets, np.array([other, *usual[1:]]))))
        if before.shape[:1] != (few,) or before.shape != after.shape:
            return None
        if not _are_equal(before[1:], after[1:]):
            return "mixes"
        if few == _FEW:
            continue
        turned = jax.tree.map(lambda p: np.roll(p, 1, 0) if p.ndim else p, one)
        elsewhere = np.asarray(call(turned, take_rows(targets, np.roll(usual, 1))))
        if not _are_equal(np.roll(before, 1, 0), elsewhere):
            return "place"
    return None


_FEW = 4
"""The examples of a probe."""

_MANY = 256
"""The examples among which different targets are looked for."""


def _different_rows(targets: Any) -> np.ndarray | None:
    """Return the rows of a few targets, and those of three others to put in place of the first."""
    few_of_many = jax.tree.leaves(take_rows(targets, slice(_MANY)))
    leaves = [y for y in map(on_host, few_of_many) if y is not None]
    if len(leaves) < len(few_of_many):
        return None
    if not leaves:  # a loss of the prediction alone
        return np.zeros(_FEW + 3, int)
    bits = [np.ascontiguousarray(y).reshape(len(y), -1).view(np.uint8) for y in leaves]
    _, first = np.unique(np.concatenate(bits, axis=1), axis=0, return_index=True)
    different = np.sort(first)
    others = different[1:] if len(different) > 1 else different
    few = np.resize(different, _FEW)
    return np.concatenate([few, others[[0, -1, len(others) // 2]]])


def _with_a_changed_row(draw: Callable[..., Any], random: Any, p: Any, few: int) -> tuple[Any, Any]:
    one = draw(random, (few, *p.shape[1:]) if p.ndim else ())
    other = np.concatenate([draw(random, one.shape)[:1], one[1:]]) if p.ndim else one
    return one.astype(np.dtype(p.dtype)), other.astype(np.dtype(p.dtype))


def _like_logits(random: Any, shape: tuple[int, ...]) -> Any:
    return random.normal(size=shape)


def _like_probabilities(random: Any, shape: tuple[int, ...]) -> Any:
    x = random.uniform(0.1, 0.9, size=shape)
    return x / x.sum(-1, keepdims=True) if shape[1:] and shape[-1] > 1 else x


def _are_equal(x: np.ndarray, y: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        scale = np.max(np.abs(x), where=np.isfinite(x), initial=0.0)
        return np.allclose(x, y, rtol=1e-3, atol=1e-5 * scale, equal_nan=True)


def _refuse_what_has_no_gradient(found: Any) -> None:
    """Refuse losses that are no real floating-point numbers."""
    if not _is_one_array(found):
        raise TypeError(
            "loss must return an array of numbers, one per example, got "
            f"{_shape_of(found)}: return the losses alone."
        )
    if jnp.issubdtype(found.dtype, jnp.complexfloating):
        raise TypeError(
            f"loss must return real numbers, got {found.dtype}: the squared size of a complex "
            'error is (error * error.conj()).real, which loss="mse" takes.'
        )
    if not jnp.issubdtype(found.dtype, jnp.floating):
        raise TypeError(
            f"loss must return floating-point numbers, got {found.dtype}, which has no gradient: "
            "an accuracy or a count belongs to metrics; train with a loss such as "
            '"cross_entropy".'
        )


def _shape_of(x: Any) -> Any:
    if _is_one_array(x):
        return tuple(x.shape)
    leaves = jax.tree.leaves(x)
    return " and ".join(str(tuple(leaf.shape)) for leaf in leaves) or type(x).__name__


def _is_one_array(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")
