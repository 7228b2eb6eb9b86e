"""Findings about inputs and targets that are far from the scale that parameters start at."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..._core.dtypes import dtype_of
from ..._core.types import Finding
from .._trees import by_path
from .data import on_host

LARGE = 100.0
"""A column is out of scale if its root mean square is above 100. Initial parameters suit inputs
near 1, and Adam moves a parameter by about its learning rate a step, so targets of 1e5 are far off.
Digits with pixels 0..16 are below it; images are no columns, and have one scale for all."""

SMALL = 1 / LARGE
"""An array is out of scale if the root mean square of its largest column is below .01. A single
small column is not: a rare word of a text is one."""

ROWS = 4096
"""About so many examples are read."""

FEW_AXES = 2

INPUTS, TARGETS = "inputs out of scale", "targets out of scale"
"""The names of the findings."""


def scale_findings(train: Any) -> Iterator[Finding]:
    """Yield a finding for x and for y = `train` if a column of real numbers is out of scale."""
    for name, kind, rows in zip("xy", (INPUTS, TARGETS), train, strict=True):
        sizes = {path: size for path, x in by_path(rows, name).items() if (size := _largest(x))}
        path, size = max(sizes.items(), key=lambda item: item[1], default=("", 1.0))
        if not SMALL <= size <= LARGE:
            yield Finding(kind, {"root_mean_square": size}, _sentence(path, size))


def _sentence(path: str, size: float) -> str:
    is_target = path.startswith("y")
    what = "has" if is_target else "has a column with" if size > LARGE else "has only columns below"
    return f"{path} {what} a root mean square of {size:.2g}, {advice(is_target)}"


def advice(is_target: bool) -> str:
    """Return what to do about numbers out of scale, as the end of a sentence."""
    back = "; multiply predictions by that deviation, and add the mean" if is_target else ""
    return (
        "and a model trains best with numbers near 1: subtract the mean of each column and divide "
        f"by its standard deviation, both of the training examples{back}."
    )


def _largest(x: Any) -> float:
    """Return the largest root mean square of a column, 0 for what is no table of real numbers."""
    if x.ndim > FEW_AXES or not jnp.issubdtype(dtype_of(x), jnp.floating):
        return 0.0
    rows = on_host(x[:: max(1, len(x) // ROWS)])
    if rows is None:
        return 0.0
    squares = np.square(rows.astype(np.float64)).reshape(len(rows), -1)
    return float(np.sqrt(squares.mean(0).max(initial=0.0)))
