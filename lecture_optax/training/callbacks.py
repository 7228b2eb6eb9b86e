"""When does a run end early, and what happens at its looks? Functions of a record.

A callback is called after every look with a record: `step`, `steps`, `train_loss`, `valid_loss` and
whatever else was evaluated, and the `history` so far. What returns True ends the run. One that
reads the history and keeps nothing of its own, as these do, decides the same after a resume.

One of your own:

    def above_chance(record):
        return record["step"] > 500 and record["valid_accuracy"] < 0.2

"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._core import validate

Record = Mapping[str, Any]


def early_stopping(
    patience: int = 5, metric: str = "valid_loss", *, least: float = 0.0, largest: bool = False
) -> Callable[[Record], bool]:
    """End the run when a metric has not improved for so many looks.

    **Arguments**

    - `patience`: looks without an improvement, >= 1.
    - `metric`: a name of `history.looks`.
    - `least`: how much better counts as better, >= 0.
    - `largest`: whether the larger is the better, as for an accuracy.

    **Raises** `ValueError` when the metric was not recorded.

    ```python
    >>> import lecture_optax as lo
    >>> from lecture_optax.training import callbacks, problems
    >>> stop = callbacks.early_stopping(patience=3)
    >>> problem = problems.mlp_diabetes()
    >>> result = lo.fit(problem, tx=lo.adam(1e-2), steps=2000, looks=100, callbacks=[stop])
    >>> result.steps < 2000
    True

    ```
    """
    validate.steps(patience=patience)
    validate.non_negative(least=least)

    def early_stopping(record: Record) -> bool:
        best, best_look = np.inf, 0
        costs = _costs(record, metric, largest)
        for look, cost in enumerate(costs):
            if cost < best - least:
                best, best_look = cost, look
        return len(costs) - 1 - best_look >= patience

    return early_stopping


def reached(metric: str, target: float, *, largest: bool = False) -> Callable[[Record], bool]:
    """End the run when a metric is as good as `target`.

    `reached("valid_accuracy", 0.95, largest=True)`: at an accuracy of 0.95.
    """
    validate.finite(target=target)

    def reached(record: Record) -> bool:
        return bool(_costs(record, metric, largest)[-1] <= (-target if largest else target))

    return reached


def at_best(
    act: Callable[[Record], Any], metric: str = "valid_loss", *, largest: bool = False
) -> Callable[[Record], None]:
    """Call `act(record)` at every look at which a metric is the best so far.

    (The best parameters are kept without it: `fit(keep="best")`.)
    """

    def at_best(record: Record) -> None:
        costs = _costs(record, metric, largest)
        if costs[-1] < min(costs[:-1], default=np.inf):
            act(record)

    return at_best


def _costs(record: Record, metric: str, largest: bool) -> np.ndarray:
    """A metric at all looks so far, the smaller the better; a NaN is the worst."""
    looks = record["history"].looks
    validate.one_of(*looks, metric=metric)
    return np.nan_to_num((-1 if largest else 1) * looks[metric], nan=np.inf)
