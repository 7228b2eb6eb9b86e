"""A remark about inputs and targets that are far from the scale that parameters start at."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ..._core.dtypes import dtype_of
from .._trees import by_path
from .data import on_host

LARGE = 100.0
"""A column is out of scale if its root mean square is above 100. Initial parameters suit inputs
near 1, and Adam moves a parameter by about its learning rate a step, so targets of 1e5 are far off.
Digits with pixels 0..16 are below it; images are no columns, and have one scale for all."""

FEW_AXES = 2


def scale_remarks(train: Any) -> list[str]:
    """Return a sentence for x and for y if a column of floating-point numbers is out of scale."""
    found = [_out_of_scale(name, rows) for name, rows in zip("xy", train, strict=True)]
    return [sentence for sentence in found if sentence]


def _out_of_scale(name: str, rows: Any) -> str:
    sizes = {path: _largest(x) for path, x in by_path(rows, name).items()}
    path, size = max(sizes.items(), key=lambda item: item[1], default=("", 0.0))
    if not size > LARGE:
        return ""
    back = " Multiply predictions by that deviation, and add the mean." if name == "y" else ""
    what = "has a column with" if name == "x" else "has"
    return (
        f"{path} {what} a root mean square of {size:.2g}, and a model trains best with numbers "
        "near 1: subtract the mean of each column and divide by its standard deviation, both of "
        f"the training examples.{back}"
    )


def _largest(x: Any) -> float:
    """Return the largest root mean square of a column, 0 for what is no table of real numbers."""
    if x.ndim > FEW_AXES or not jnp.issubdtype(dtype_of(x), jnp.floating):
        return 0.0
    rows = on_host(x)
    if rows is None:
        return 0.0
    squares = np.square(rows.astype(np.float64)).reshape(len(rows), -1)
    return float(np.sqrt(squares.mean(0).max(initial=0.0)))
