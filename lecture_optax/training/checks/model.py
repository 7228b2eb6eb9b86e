"""Checks of a model on the shapes of its data: what it is called with, and what it returns."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Literal

from ..._core.dtypes import dtype_of
from .. import losses
from .._trees import by_path, kind_of, n_rows, shapes_of_rows
from ..problem import Problem
from .inputs import called, check_channel_axis, check_ids


class Start(NamedTuple):
    """Shapes of the parameters, the model state and a batch, and of the prediction for it.

    `program`: the forward pass in evaluation mode.
    """

    params: Any
    model_state: Any
    batch: Any
    prediction: Any
    program: ClosedJaxpr


def check_model(problem: Problem, rows: int) -> Start | None:
    """Refuse a model that cannot be called on x, or returns what is no prediction for its rows.

    The model is traced once, in evaluation mode. Returns None for plain functions.
    """
    if problem.per_example is None or problem.functions.predict is None:
        return None
    batch = shapes_of_rows(problem.train, rows)
    with words_for(problem, "cannot be initialized"):
        params, model_state = shapes_at_start(problem)
    with words_for(problem, "fails in evaluation"):
        traced = jax.make_jaxpr(problem.functions.predict, return_shape=True)
        program, prediction = traced(params, model_state, batch[0])
    check_channel_axis(problem, params, model_state, program, rows)
    _check_prediction(problem, prediction, rows)
    _check_ids(problem, program, rows)
    return Start(params, model_state, batch, prediction, program)


def logits_messages(problem: Problem, start: Start | None) -> list[str]:
    """Return a warning about probabilities where the loss takes logits, or nothing."""
    loss, last = problem.per_example, start and _last_operation(start.program.jaxpr)
    of_classes = loss in (*losses.OF_CLASSES, *losses.OF_DISTRIBUTIONS)
    if not ((of_classes and last == "softmax") or (loss in losses.OF_PROBABILITIES and last)):
        return []
    return [
        f"the model ends in a {last}, and the loss takes logits: it applies its own to them, so "
        "that no probability can come near 0 or 1. Return what the last layer gives, without the "
        f"{last}; result.predict then returns logits."
    ]


def _last_operation(jaxpr: Any) -> str | None:
    """Return "sigmoid" or "softmax" if a program ends in one, or None."""
    made = {x: equation for equation in jaxpr.eqns for x in equation.outvars}

    def maker(x):
        return None if isinstance(x, Literal) else made.get(x)

    last = maker(jaxpr.outvars[0]) if len(jaxpr.outvars) == 1 else None
    while last is not None and last.primitive.name in SAME_VALUES:
        last = maker(last.invars[0])
    if last is None or last.primitive.name == "logistic":
        return None if last is None else "sigmoid"
    inner = called(last)
    if inner is not None:
        return _last_operation(inner.jaxpr)
    above = maker(last.invars[0]) if last.primitive.name == "div" else None
    return "softmax" if above is not None and above.primitive.name == "exp" else None


SAME_VALUES = ("reshape", "squeeze", "convert_element_type", "copy", "stop_gradient")


def _check_ids(problem: Problem, program: ClosedJaxpr, rows: int) -> None:
    count = len(jax.tree.leaves(problem.train[0]))
    inputs = program.jaxpr.invars[-count:] if count else []
    for name, data in (("x", problem.train), ("valid's x", problem.valid)):
        if data is not None:
            check_ids(program, inputs, by_path(data[0], name), rows)


def shapes_at_start(problem: Problem) -> tuple[Any, Any]:
    """Return the shapes of the parameters and of the model state."""
    params, model_state = problem.start
    init = problem.functions.init
    if params is None or model_state is None:
        assert init is not None  # a problem without init has a start
        few = min(64, n_rows(problem.train))
        batch = shapes_of_rows(problem.train, few)
        first = jax.eval_shape(init, jax.random.key(0), batch)
        params = first[0] if params is None else params
        model_state = first[1] if model_state is None else model_state
    return params, model_state


@contextmanager
def words_for(problem: Problem, fails: str) -> Iterator[None]:
    """Turn an error of the user's model into one that names the model and x."""
    try:
        yield
    except Exception as error:
        is_of_flax = type(error).__module__.startswith("flax")
        kinds = TypeError, ValueError, LookupError, AttributeError, RuntimeError, ArithmeticError
        if not is_of_flax and not isinstance(error, (*kinds, AssertionError)):
            raise
        kind = TypeError if isinstance(error, TypeError | AttributeError) else ValueError
        raise kind(_failure(problem, fails, error)) from error


def _failure(problem: Problem, fails: str, error: Exception) -> str:
    said = " ".join(f"{error}".split("\n\n")[0].split(" (https://flax")[0].split())
    return (
        f"model {fails}, where {_kinds_of_x(problem)}: {type(error).__name__}: {said} "
        f"{_hint(problem, said)}Or call the model in another way, by apply={way_out(problem)}."
    )


def _hint(problem: Problem, said: str) -> str:
    """Return the cause that the error of the model suggests."""
    if any(word in said for word in ("immutable", "deterministic", "key when running")):
        return (
            "Dropout and BatchNorm must follow the mode: give __call__ the keyword train (Equinox: "
            "key), and use it, as in deterministic=not train and use_running_average=not train. "
        )
    if problem.start[0] is not None and problem.adapter.name == "linen":
        return "Are params those of this model, as its init returns them, and x what it takes? "
    if any(len(a.shape) in (2, 3) for a in jax.tree.leaves(problem.train[0])):
        return (
            "Does x have another axis than the model takes? A convolution needs one of channels: "
            "x[..., None] in Flax, x[:, None] in Equinox. "
        )
    if any(len(a.shape) > 3 for a in jax.tree.leaves(problem.train[0])):
        return "Are the axes of x in the order of the model, channels last in Flax? "
    return ""


def _kinds_of_x(problem: Problem) -> str:
    named = by_path(problem.train[0], "x").items()
    return ", ".join(f"{name} is {kind_of_rows(a)}" for name, a in named)


def way_out(problem: Problem) -> str:
    """Return a function for `apply`, as text."""
    return getattr(problem.adapter, "way_out", "")


def kind_of_rows(array: Any) -> str:
    """Return the dtype and the shape of one example, in words."""
    return f"{dtype_of(array)} of shape {tuple(array.shape[1:])} per example"


def _check_prediction(problem: Problem, prediction: Any, rows: int) -> None:
    leaves = jax.tree.leaves(prediction)
    is_array = hasattr(prediction, "shape")
    is_named = problem.per_example in losses.LOSSES.values()
    if not leaves or (is_named and not is_array):
        kinds = " and ".join(kind_of(leaf) for leaf in leaves)
        got = f"{type(prediction).__name__} of {kinds}" if leaves else f"{prediction}"
        raise TypeError(
            f"model must return its predictions as one array, got {got}: return the array, or pass "
            f"apply={way_out(problem)} and take a part of what it returns"
            f"{'; a loss of your own takes several.' if leaves else '.'}"
        )
    if is_array and is_named and (not prediction.ndim or prediction.shape[0] != rows):
        raise ValueError(
            f"model must return one prediction per example, got {tuple(prediction.shape)} for "
            f"{rows} examples, where {_kinds_of_x(problem)}: does the model need another axis in "
            "x, as a channel axis (x[..., None]) for a convolution, or does it flatten or average "
            "over the examples?"
        )
