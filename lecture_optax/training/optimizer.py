"""The default optimizer of `lo.fit`, and an optimizer with an average of its iterates."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from .._average import average_iterates
from .._core.chain import chain
from .._core.describe import describe
from .._core.types import Scalar, Transformation, TypeAliasType
from ..optimizers import adam
from ._cached import cached

Optimizer = TypeAliasType(
    "Optimizer", optax.GradientTransformation | Callable[..., optax.GradientTransformation]
)
"""A gradient transformation, or with hyperparameters the function that builds one."""


RATE, SMALL = 1e-2, 10_000
"""The learning rate of the default up to so many parameters, constant and with averaged weights.

Of constant, warmed up and linearly decayed learning rates from 1e-3 to 1e-2, it has the lowest
regret on the benchmark problems, which are small. CHANGELOG.md has the numbers."""

POWER = 1 / 3
"""Larger models take a smaller learning rate, RATE (SMALL / parameters)^POWER. It is within 10 % of
six of the eight of GPT-3, those from 350M (3e-4) to 13B parameters (1e-4).

Source: Brown et al. (2020), "Language models are few-shot learners", table 2.1.
"""


def default_optimizer(
    params: Any, average: Any
) -> tuple[Callable[..., Transformation], dict[str, Scalar], str]:
    """Return a function that builds the default, its hyperparameters, and their source in words.

    `params`: the parameters, or their shapes.
    """
    count = sum(math.prod(x.shape) for x in jax.tree.leaves(params))
    rate = float(f"{RATE * min(1.0, (SMALL / max(1, count)) ** POWER):.2g}")  # as you type it
    why = f", as there are {count:,} parameters" if rate < RATE else ""
    kind = " with averaged weights" if average else ""
    source = f"the default: Adam at a constant {rate:g}{kind}{why}"
    return adam, {"learning_rate": rate}, source


_USUAL = average_iterates()
_NAME = "average_iterates"


def with_average(tx: Any, hyperparams: Mapping[str, Any] | None, average: Any) -> Any:
    """Return `tx`, or the function that builds it, with an average of the weights at its end.

    **Raises** `TypeError` for what is no average, `ValueError` where `tx` has one already.
    """
    last = average_of(average)
    if last is None:
        return tx
    if _keeps_an_average(tx if hyperparams is None else tx(**hyperparams)):
        raise ValueError(
            f"tx averages the weights already, got average={average!r} too: leave out one of them. "
            "An average in tx is evaluated too."
        )
    return _chained(tx, last) if hyperparams is None else _built(tx, last)


def average_of(average: Any) -> Any:
    """Return the transformation that averages the weights, or None where they are not averaged.

    **Raises** `TypeError` for what is no average.
    """
    if average is None or average is False:
        return None
    last = _USUAL if average is True else average
    if not isinstance(last, optax.GradientTransformation) or not _keeps_an_average(last):
        raise TypeError(
            "average must be True, False or an average_iterates(...), whose eta says how much of "
            f"the run it remembers, got {average!r}."
        )
    return last


@cached
def _chained(tx: Any, last: Any) -> Any:
    return chain(tx, last)


@cached
def _built(make: Callable[..., Any], last: Any) -> Callable[..., Any]:
    return lambda **hyperparams: chain(make(**hyperparams), last)


def _keeps_an_average(tx: Any) -> bool:
    return any(each.name == _NAME for each in describe(tx).walk())
