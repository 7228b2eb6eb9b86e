"""What does a schedule look like?"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import _validate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Table(NamedTuple):
    """The steps, and the rate at each."""

    steps: np.ndarray
    values: np.ndarray

    def __repr__(self) -> str:
        rows = [f"{step:>10d}  {rate:.6g}" for step, rate in zip(self.steps, self.values, strict=True)]
        return "\n".join(["      step  rate", *rows])


def tabulate(schedule: Callable, steps: int | Sequence[int]) -> Table:
    """The values of a schedule, as a table that prints.

    **Arguments**

    - `schedule`: a function of the step count, ours or Optax's.
    - `steps`: the steps to show; or one number, for eleven of them evenly from 0 to it.

    **Raises** `ValueError` or `TypeError` for a number that is not a whole number >= 1.

    ```python
    >>> from lecture_optax import schedules
    >>> schedules.tabulate(schedules.inverse_time(1.0), [0, 1, 9])
          step  rate
             0  1
             1  0.5
             9  0.1

    ```
    """
    if not isinstance(steps, Sequence):
        _validate.steps(steps=steps)
        steps = np.unique(np.linspace(0, int(steps), 11).astype(int)).tolist()
    counts = np.asarray(steps)
    return Table(counts, _values(schedule, counts))


def plot(schedule: Callable, steps: int, ax: "Axes | None" = None) -> "Axes":
    """Draw a schedule from step 0 to `steps`, and return the axes.

    **Arguments**

    - `schedule`: a function of the step count, ours or Optax's.
    - `steps`: the last step to draw, >= 1.
    - `ax`: axes to draw on; new ones when not given. Nothing is shown: that is up to you.

    **Raises** `ValueError` or `TypeError` for a number that is not a whole number >= 1, and
    `ImportError` without Matplotlib, naming the extra.
    """
    _validate.steps(steps=steps)
    if ax is None:
        ax = _new_axes()
    counts = np.unique(np.linspace(0, steps, min(int(steps) + 1, 2001)).astype(int))
    ax.plot(counts, _values(schedule, counts))
    ax.set(xlabel="step k", ylabel="learning rate τ(k)", xlim=(0, steps))
    ax.set_ylim(bottom=0)
    return ax


def _values(schedule: Callable, counts: np.ndarray) -> np.ndarray:
    each = jax.vmap(lambda k: jnp.asarray(schedule(k)))(jnp.asarray(counts, jnp.int32))
    return np.asarray(each)


def _new_axes() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('plots need Matplotlib: pip install "lecture_optax[plot]".') from error
    return pyplot.subplots()[1]
