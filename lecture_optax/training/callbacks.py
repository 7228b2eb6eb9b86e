"""Callbacks that stop a run early, or act when a metric improves.

`fit` calls every callback after every evaluation with a record: `step`, `steps`, `train_loss`,
`valid_loss` and whatever else was evaluated, and the `history` so far. A callback that returns True
stops the run. These callbacks read the history and keep no state of their own, so a resumed run
decides as an uninterrupted one.

You can write one yourself:

    def above_chance(record):
        return record["step"] > 500 and record["valid_accuracy"] < 0.2

"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from .._core import validate
from .._core.keywords import checked
from .loop.run import columns_of

Record = Mapping[str, Any]
"""What a callback receives: values by name."""

Mode = Literal["min", "max"]
"""Whether a smaller or a larger value of a metric is better."""


@checked
def early_stopping(
    patience: int = 5,
    monitor: str = "valid_loss",
    *,
    min_delta: float = 0.0,
    mode: Mode = "min",
) -> Callable[[Record], bool]:
    """Stop the run when a metric has not improved for `patience` evaluations.

    **Arguments**

    - `patience`: evaluations without an improvement, >= 1.
    - `monitor`: the name of the metric, as in `history.evaluations`: "averaged_loss" where the
      weights are averaged, as by default without `tx`.
    - `min_delta`: the smallest change that counts as an improvement, >= 0.
    - `mode`: "min" where lower is better; "max" where higher is better, as for an accuracy.

    **Raises** `ValueError` when the metric was not recorded.

    ```python
    >>> import lecture_optax as lo
    >>> from lecture_optax.training import callbacks, problems
    >>> stop = callbacks.early_stopping(patience=3)
    >>> problem = problems.mlp_diabetes()
    >>> result = lo.fit(problem, tx=lo.adam(1e-2), steps=2000, evaluations=100, callbacks=[stop])
    >>> result.steps < 2000
    True

    ```
    """
    validate.steps(patience=patience, traced=False)
    validate.non_negative(min_delta=min_delta)
    validate.one_of("min", "max", mode=mode)

    def early_stopping(record: Record) -> bool:
        best, best_index = np.inf, 0
        costs = _costs(record, monitor, mode)
        for index, cost in enumerate(costs):
            if cost < best - min_delta:
                best, best_index = cost, index
        return len(costs) - 1 - best_index >= patience

    return early_stopping


@checked
def stop_at(monitor: str, target: float, *, mode: Mode = "min") -> Callable[[Record], bool]:
    """Stop the run when a metric reaches `target`.

    `stop_at("valid_accuracy", 0.95, mode="max")` stops at an accuracy of 0.95.
    """
    validate.finite(target=target)
    validate.one_of("min", "max", mode=mode)

    def stop_at(record: Record) -> bool:
        return bool(_costs(record, monitor, mode)[-1] <= (target if mode == "min" else -target))

    return stop_at


@checked
def on_improvement(
    act: Callable[[Record], Any], monitor: str = "valid_loss", *, mode: Mode = "min"
) -> Callable[[Record], None]:
    """Call `act(record)` at every evaluation at which a metric is the best so far.

    `fit(keep="best")` keeps the best parameters without it.
    """
    validate.one_of("min", "max", mode=mode)

    def on_improvement(record: Record) -> None:
        costs = _costs(record, monitor, mode)
        if costs[-1] < min(costs[:-1], default=np.inf):
            act(record)

    return on_improvement


def _costs(record: Record, monitor: str, mode: Mode) -> np.ndarray:
    """Return a metric at all evaluations so far, so that lower is better; NaN becomes infinity."""
    if not isinstance(record, Mapping) or "history" not in record:
        raise TypeError(f"record must be what fit passes to a callback, got {record!r}.")
    columns = columns_of(record["history"].evaluations)
    validate.one_of(*columns, monitor=monitor)
    return np.nan_to_num((1 if mode == "min" else -1) * columns[monitor], nan=np.inf)
