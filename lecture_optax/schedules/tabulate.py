"""Tables and plots of schedules."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._core import validate
from .._core.describe import as_python
from .._core.extras import new_axes
from ._schedule import as_schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Table(NamedTuple):
    """The steps, and the learning rate at each."""

    steps: np.ndarray
    values: np.ndarray

    def __repr__(self) -> str:
        pairs = zip(self.steps, self.values, strict=True)
        return "\n".join(["      step  rate", *(f"{k:>10d}  {rate:.6g}" for k, rate in pairs)])


def tabulate(schedule: Callable, steps: Sequence[int] | ArrayLike) -> Table:
    """Return the values of a schedule as a table that prints.

    **Arguments**

    - `schedule`: a function of the step count, ours or Optax's.
    - `steps`: the steps to show, each >= 0; or one number >= 1, for eleven of them evenly from 0
      to it.

    **Returns** `Table(steps, values)`, of arrays.

    **Raises** `ValueError` or `TypeError` for what is not a whole number of steps.

    ```python
    >>> from lecture_optax import schedules
    >>> schedules.tabulate(schedules.inverse_time(1.0), [0, 1, 9])
          step  rate
             0  1
             1  0.5
             9  0.1

    ```
    """
    rate = as_schedule("schedule", schedule)
    several = isinstance(steps, Sequence) and not isinstance(steps, str | bytes)
    if several or (isinstance(steps, np.ndarray | jax.Array) and steps.ndim):
        counts = np.asarray(steps, object) if several else np.asarray(steps)
        validate.steps(least=0, **{f"steps[{i}]": k for i, k in enumerate(counts)})
        counts = counts.astype(int)
    else:
        counts = _evenly(steps, 11)
    return Table(counts, _values(rate, counts))


def plot(schedule: Callable, steps: int, ax: "Axes | None" = None) -> "Axes":
    """Draw a schedule from step 0 to `steps`, and return the axes.

    **Arguments**

    - `schedule`: a function of the step count, ours or Optax's. Its line is labelled by what it
      prints, in short, for `ax.legend()`.
    - `steps`: the last step to draw, >= 1.
    - `ax`: axes to draw on; new ones when not given. Nothing is shown: that is up to you.

    **Returns** the axes. Pass them again to draw several schedules on the same axes.

    **Raises** `ValueError` or `TypeError` for a number that is not a whole number >= 1, and
    `ImportError` without Matplotlib, naming the extra.

    ```python
    >>> from lecture_optax import schedules as s
    >>> ax = s.plot(s.cosine(1e-3, 100, warmup_steps=10), 100)
    >>> ax = s.plot(s.linear(1e-3, 100), 100, ax)
    >>> ax.get_xlabel(), len(ax.lines), ax.lines[1].get_label()
    ('step k', 2, 'schedules.linear(0.001, 100)')

    ```
    """
    if isinstance(schedule, Mapping | list | tuple):
        raise TypeError(
            f"schedule must be one schedule, got {schedule!r}. To draw several, call plot for each "
            "and pass the axes that it returned as ax=."
        )
    rate, counts = as_schedule("schedule", schedule), _evenly(steps, 2001)
    validate.axes(ax=ax)
    if ax is None:
        ax = new_axes()
    label = textwrap.shorten(as_python(schedule), 60, placeholder=" …")
    ax.plot(counts, _values(rate, counts), label=label)
    ax.set(xlabel="step k", ylabel="learning rate τ(k)")
    ax.margins(x=0)
    ax.autoscale()  # again: several schedules may share the axes
    if ax.get_yscale() == "linear":
        ax.set_ylim(bottom=0)
    return ax


def _evenly(steps: Any, most: int) -> np.ndarray:
    """Return at most so many whole steps, from 0 to `steps`, both included."""
    validate.steps(steps=steps, traced=False)
    return np.linspace(0, int(steps), min(int(steps) + 1, most)).astype(int)


def _values(schedule: Callable, counts: np.ndarray) -> np.ndarray:
    return np.asarray(schedule(jnp.asarray(counts, jnp.int32)))
