"""How is an average asked for? As the last stage of the optimizer, which then keeps it."""

from collections.abc import Callable, Mapping
from typing import Any

import optax

from .._average import average_iterates
from .._core.chain import chain
from .._core.describe import describe
from ._cached import cached

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
