"""The default optimizer, and an optimizer that averages its iterates."""

from collections.abc import Callable, Mapping
from typing import Any

import optax

from .._average import average_iterates
from .._core.chain import chain
from .._core.describe import describe
from .._core.types import Scalar, Transformation, TypeAliasType
from ..optimizers import adam
from ..schedules import linear
from ._cached import cached

Optimizer = TypeAliasType(
    "Optimizer", optax.GradientTransformation | Callable[..., optax.GradientTransformation]
)
"""A gradient transformation, or with hyperparameters the function that builds one."""


def lecture_default(steps: int) -> tuple[Callable[..., Transformation], dict[str, Scalar], str]:
    """Return Adam at 1e-3, the lecture's first try, with a linear decay to 0.

    It is a function that builds the optimizer, its hyperparameters, and their source in words.
    """
    source = f"the lecture's default: Adam at 1e-3, decayed linearly to 0 at step {steps}"
    return _adam_with_linear_decay, {"learning_rate": 1e-3, "total_steps": steps}, source


def _adam_with_linear_decay(learning_rate: Scalar, total_steps: Scalar) -> Transformation:
    return adam(linear(learning_rate, total_steps))


_USUAL = average_iterates()
_NAME = "average_iterates"


def with_average(tx: Any, hyperparams: Mapping[str, Any] | None, average: Any) -> Any:
    """Return `tx`, or the function that builds it, with an average of the weights at its end.

    **Raises** `TypeError` for what is no average, `ValueError` where `tx` has one already.
    """
    if average is None or average is False:
        return tx
    last = _USUAL if average is True else average
    if not isinstance(last, optax.GradientTransformation) or not _keeps_an_average(last):
        raise TypeError(
            "average must be True, False or an average_iterates(...), whose eta says how much of "
            f"the run it remembers, got {average!r}."
        )
    if _keeps_an_average(tx if hyperparams is None else tx(**hyperparams)):
        raise ValueError(
            f"tx averages the weights already, got average={average!r} too: leave out one of them. "
            "An average in tx is evaluated too."
        )
    return _chained(tx, last) if hyperparams is None else _built(tx, last)


@cached
def _chained(tx: Any, last: Any) -> Any:
    return chain(tx, last)


@cached
def _built(make: Callable[..., Any], last: Any) -> Callable[..., Any]:
    return lambda **hyperparams: chain(make(**hyperparams), last)


def _keeps_an_average(tx: Any) -> bool:
    return any(each.name == _NAME for each in describe(tx).walk())
