"""The default optimizer, and an optimizer that averages its iterates."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import optax

from .._average import average_iterates
from .._core.chain import chain
from .._core.describe import describe
from .._core.types import Scalar, Transformation
from ..optimizers import adam
from ..schedules import linear
from ._cached import cached

if TYPE_CHECKING:
    pass


class Choice(NamedTuple):
    """A function that builds an optimizer, its numbers, the reason, and what finding it cost."""

    make: object
    hyperparams: dict[str, Scalar]
    why: str
    cost: float


def lecture_default(steps: int) -> Choice:
    """Adam at 1e-3, the lecture's first try, decayed to 0 along a line."""
    return Choice(
        _adam_with_linear_decay,
        {"learning_rate": 1e-3, "total_steps": steps},
        f"the lecture's default: Adam at 1e-3, falling along a line to 0 at step {steps}",
        1.0,
    )


def _adam_with_linear_decay(learning_rate: Scalar, total_steps: Scalar) -> Transformation:
    return adam(linear(learning_rate, total_steps))


_USUAL = average_iterates()
_NAME = "average_iterates"


def with_average(tx: Any, hyperparams: Mapping[str, Any] | None, average: Any) -> Any:
    """`tx`, or the function that builds it, with an average at its end.

    **Raises** `TypeError` for what is no average, `ValueError` where `tx` keeps one already.
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
            f"tx keeps an average already, got average={average!r} beside it: leave out one of "
            "them. An average in tx is evaluated at every look, too."
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
