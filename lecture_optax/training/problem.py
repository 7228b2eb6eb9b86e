"""A training problem: a model, or plain functions, with data and a loss.

    loss(params, model_state, batch, key) -> (loss, model_state)

Whatever the model is made with, the loop sees this function and a tree of numbers. The adapters
say how to get there, and hold no loop.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp

from .._core import validate
from .._core.extras import warn
from .._core.types import DTypeLike
from .._core.validate import in_words
from ._trees import is_stream
from .adapters import MODEL_ADAPTERS, equinox, functions as plain, linen, nnx
from .adapters.model import (
    Adapter,
    Functions,
    ModelAdapter,
    Watched,
    computing_in,
    functions_of,
    refuse_what_cannot_be_called,
)
from .conversion.arrays import as_arrays, in_short
from .conversion.batches import joined, pair_as_arrays
from .conversion.columns import Columns, check_columns, columns_of, order_message
from .losses import Loss, Metrics, loss_named
from .metrics import in_order, is_built_in, named_metrics


def _no_examples(metrics: Any) -> Any:
    raise TypeError("metrics need a Problem that was built by from_linen, from_nnx, ...")


@dataclass(frozen=True)
class Problem:
    """A model or plain functions, their data and their loss.

    Build one by `from_linen`, `from_nnx`, `from_equinox` or `from_functions`.

    **Attributes**

    - `functions`: `init`, `loss`, `examples`, `predict`, all pure (`adapters.model.Functions`).
    - `train`, `valid`: trees of arrays, with the examples along the first axis; `train` may be an
      iterable of batches.
    - `start`: `(params, model_state)` to start from; a part that is None is left to `init`.
    - `export`: `(params, model_state) -> model`, of the kind that was given.
    - `adapter`: how this kind of model is read.
    - `per_example`: the loss of (prediction, target), where there is a model.
    - `watched`: returns the forward pass that notes what its layers do, where there is a model.
    - `dtype`: the dtype in which the model computes, or None for that of its parameters and data.
    - `columns`: the labels of the columns, where the data are tables.
    - `metrics`: the metrics that are functions of yours, as (name, function) pairs. `examples_with`
      returns `functions.examples` with some of them, for those that return one number per example.
    - `name`: what a report calls the problem, by default the class of the model; "" for functions.
    """

    functions: Functions
    train: Any = field(repr=False)
    valid: Any = field(repr=False, default=None)
    start: tuple[Any, Any] = field(repr=False, default=(None, None))
    export: Callable[[Any, Any], Any] = plain.export
    adapter: Adapter = plain.ADAPTER
    per_example: Callable[..., Any] | None = field(repr=False, default=None)
    dtype: Any = None
    watched: Callable[[], Watched] | None = field(repr=False, default=None)
    columns: Columns = field(repr=False, default_factory=dict)
    metrics: tuple[tuple[str, Callable[..., Any]], ...] = field(repr=False, default=())
    examples_with: Callable[..., Any] = field(repr=False, default=_no_examples)
    name: str = field(repr=False, default="")

    def __post_init__(self):
        """Make arrays of the data: tables, tensors, lists of numbers, a loader as `valid`."""
        columns = {**self.columns, **columns_of(self.train)}
        check_columns(columns, columns_of(self.valid, "valid"), "valid")
        for message in filter(None, map(order_message, (self.train, self.valid))):
            warn(message)
        for name in ("train", "valid"):
            _refuse_no_data(name, getattr(self, name))
        own = {"columns": columns, "train": self._arrays(self.train, "")}
        own["valid"] = self._arrays(joined(self._arrays(self.valid, "valid"), "valid"), "valid")
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def _arrays(self, data: Any, owner: str) -> Any:
        if self.per_example is not None:
            return pair_as_arrays(data, owner)
        return data if is_stream(data) else as_arrays(data, owner or "train")

    @property
    def loss(self) -> Callable[..., Any]:
        """`(params, model_state, batch, key, sample_weight=None) -> (loss, model_state)`."""
        return self.functions.loss

    @staticmethod
    def from_linen(
        module: Any,
        train: Any,
        *,
        loss: Loss,
        valid: Any = None,
        params: Any = None,
        apply: Callable[..., Any] | None = None,
        metrics: Metrics | None = None,
        dtype: DTypeLike | None = None,
    ) -> "Problem":
        """Return the problem of a Flax linen module, called as `module.apply(variables, x)`.

        **Arguments**

        - `train`, `valid`: (x, y), two trees of arrays with the examples along the first axis.
        - `loss`: a name of `losses.LOSSES`, or a function of (prediction, target) that returns one
          number per example.
        - `params`: parameters to start from, alone or with all that `module.init` returned. They
          replace those of a bound module, such as `result.model`, which starts from its own.
        - `apply`: called as `apply(variables, x, train=, rngs=, mutable=)` in place of the module.
          By default the keywords of its `__call__` that name the mode are set: `train`, `training`,
          `deterministic`, `use_running_average`, `inference`, `eval` and `test`, also as `is_train`
          or `train_mode`.
        - `metrics`: names of `losses.METRICS` and functions, or `{"name": function}`, for the
          validation set. A function of (prediction, target) that returns one number per example is
          averaged; any other is called once with all predictions, and returns a number or a dict of
          numbers. Functions of (y_true, y_pred) or (y_true, y_score), as those of sklearn.metrics,
          receive NumPy arrays of classes or of probabilities; for regression, the predictions. One
          of your own that takes logits (n, classes) receives them.
        - `dtype`: the dtype in which the model computes, such as jnp.bfloat16: parameters and x
          are cast to it. The trained parameters, their gradients, the optimizer, the model state, y
          and the loss keep their own dtype.
        """
        return _from_model(
            linen.ADAPTER, module, train, loss, valid, params, apply, metrics, dtype, "module"
        )

    @staticmethod
    def from_nnx(
        model: Any,
        train: Any,
        *,
        loss: Loss,
        valid: Any = None,
        params: Any = None,
        apply: Callable[..., Any] | None = None,
        metrics: Metrics | None = None,
        dtype: DTypeLike | None = None,
    ) -> "Problem":
        """Return the problem of a Flax nnx model, called as `model(x)`. Only `export` changes it.

        `rngs` is passed where its `__call__` names it.

        **Arguments** as for `from_linen`, and

        - `params`: an `nnx.State` to start from in place of the model's own.
        - `apply`: called as `apply(model, x, train=)`; the model is in that mode already.
        """
        return _from_model(nnx.ADAPTER, model, train, loss, valid, params, apply, metrics, dtype)

    @staticmethod
    def from_equinox(
        model: Any,
        train: Any,
        *,
        loss: Loss,
        valid: Any = None,
        params: Any = None,
        apply: Callable[..., Any] | None = None,
        metrics: Metrics | None = None,
        dtype: DTypeLike | None = None,
    ) -> "Problem":
        """Return the problem of an Equinox module, or (module, state), mapped over a batch.

        `key` and `state` are passed where its `__call__` names them.

        **Arguments** as for `from_linen`, and

        - `params`: a module whose inexact arrays are the start.
        - `apply`: called on a whole batch, as `apply(module, x, key=, train=)`; with a state as
          `apply(module, x, state, key=, train=)`, which returns the new state too.
        """
        return _from_model(
            equinox.ADAPTER, model, train, loss, valid, params, apply, metrics, dtype
        )

    @staticmethod
    def from_functions(
        *,
        init: Callable[..., Any],
        loss: Callable[..., Any],
        train: Any,
        valid: Any = None,
        params: Any = None,
        predict: Callable[..., Any] | None = None,
        metrics: Mapping[str, Callable[..., Any]] | None = None,
    ) -> "Problem":
        """Return the problem of plain functions of a tree of parameters.

        **Arguments**

        - `init`: `key -> params`.
        - `loss`: `(params, batch) -> loss`, one number per example of a batch, or their mean.
          `batch` is a part of `train`, in the same tree. It may name `key`, and a mode (`train`,
          `deterministic`, ...); if it names `model_state`, it returns `(loss, model_state)`, `init`
          returns `(params, model_state)`, and `predict` takes `(params, model_state, x)`.
        - `predict`: `(params, x) -> prediction`.
        - `metrics`: `{"name": (params, batch) -> numbers}`: one per example, or one number, which
          is computed of the whole validation set at once.

        ```python
        >>> import jax.numpy as jnp
        >>> from lecture_optax.training import Problem
        >>> problem = Problem.from_functions(
        ...     init=lambda key: jnp.zeros(2),
        ...     loss=lambda θ, batch: (batch["x"] @ θ - batch["y"]) ** 2,
        ...     train={"x": jnp.eye(2), "y": jnp.ones(2)},
        ... )
        >>> value, model_state = problem.loss(jnp.zeros(2), {}, problem.train, None)
        >>> float(value)
        1.0

        ```
        """
        validate.function(takes=1, init=init)
        validate.function(takes=2, or_more=True, loss=loss)
        if predict is not None:
            validate.function(takes=2, or_more=True, predict=predict)
        own = named_metrics({} if metrics is None else metrics, None)
        examples_with = functools.partial(_examples_with, plain.functions_of, init, loss, predict)
        pure = plain.functions_of(init, loss, predict, ())
        start = (params, None)
        return Problem(pure, train, valid, start, metrics=own, examples_with=examples_with)


def _examples_with(build: Any, first: Any, second: Any, third: Any, metrics: Any, built_in=()):
    """Return the `examples` of a problem with more metrics."""
    return build(first, second, third, built_in + metrics).examples


def _from_model(
    adapter: ModelAdapter,
    model: Any,
    train: Any,
    loss: Any,
    valid: Any = None,
    params: Any = None,
    apply: Callable[..., Any] | None = None,
    metrics: Any = None,
    dtype: Any = None,
    name: str = "model",
) -> Problem:
    per_example, judged = in_order(loss_named(loss)), named_metrics(metrics, loss)
    built_in = tuple(pair for pair in judged if is_built_in(pair[1]))
    own = tuple(pair for pair in judged if not is_built_in(pair[1]))
    refuse_what_cannot_be_called(adapter, model, name, apply)
    parts = adapter.split(model, params, apply)
    forward = computing_in(adapter.forward(parts.skeleton, apply), dtype)
    given = functions_of, parts.init, forward, per_example
    examples_with = functools.partial(_examples_with, *given, built_in=built_in)
    pure = functions_of(parts.init, forward, per_example, built_in)
    start, export = (parts.params, parts.model_state), adapter.export(model, parts.skeleton)
    computes_in = None if dtype is None else jnp.dtype(dtype)
    own_model = (
        parts.skeleton if adapter is linen.ADAPTER else model
    )  # not bound: a scope cannot be pickled
    watched = functools.partial(adapter.watched, own_model, parts.skeleton, apply)
    return Problem(
        pure,
        train,
        valid,
        start,
        export,
        adapter,
        per_example,
        computes_in,
        metrics=own,
        examples_with=examples_with,
        watched=watched,
        name=type(model[0] if isinstance(model, tuple) else model).__name__,
    )


def as_problem(model: Any, data: Any, **keywords: Any) -> Problem:
    """Return the problem that a model and data make, by the library that the model comes from."""
    if isinstance(model, Problem):
        refuse_beside_a_problem(data=data, **keywords)
        return model
    if isinstance(model, type):
        raise TypeError(
            f"model must be an instance, got the class {model.__name__}: call it, with what its "
            "fields or its __init__ need."
        )
    for adapter in MODEL_ADAPTERS:
        if adapter.matches(model):
            return _from_model(adapter, model, data, **keywords)
    raise TypeError(
        "a problem or model must be a linen module, an nnx model, an Equinox module or a "
        f"training.Problem, got {model!r}. For plain functions, build "
        "training.Problem.from_functions."
    )


def _refuse_no_data(name: str, data: Any) -> None:
    """Refuse shapes without numbers, and functions in the place of arrays."""
    for leaf in () if is_stream(data) else jax.tree.leaves(data):
        if isinstance(leaf, jax.ShapeDtypeStruct | FunctionType):
            kind = "a function" if callable(leaf) else "a shape without numbers"
            raise TypeError(f"{name} must be trees of arrays, got {kind}: {in_short(leaf)}.")


def refuse_beside_a_problem(**given: Any) -> None:
    """Refuse data and a loss beside a `Problem`, which has its own."""
    beside = [name for name, value in given.items() if value is not None]
    if beside:
        raise ValueError(
            f"a Problem brings its own data and loss, got {in_words(beside)} beside it, which "
            f"would be ignored: give {'it' if len(beside) == 1 else 'them'} to Problem.from_linen, "
            "from_nnx, from_equinox or from_functions, where the problem is built."
        )
