"""θ as a weighted sum of past gradients: the step matrix, and the response to one gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._core import validate
from .replay import Step, name_of, replay, step_of

_ENTRIES = 3
_TOLERANCE = 1e-6  # an int32 step count makes a schedule of Optax float32: 3e-8


def step_matrix(tx: Any, n: int, *, read: Callable | None = None) -> np.ndarray:
    """Return the weights of past gradients in θ.

        θ(i) - θ(0) = Σ_j H[i, j] g(j),    i = 0, ..., n

    Methods that are linear in the gradients have a step matrix: any velocity and any schedule, but
    no D that depends on the gradient. These (n + 1) × n numbers determine their behaviour over n
    steps. They are measured with unit vectors as gradients, and verified on random gradients.

    **Arguments**

    - `tx`: any gradient transformation.
    - `n`: the number of steps, >= 1.
    - `read`: `(tx, state, params) -> point`; its result after the last step replaces θ(n). With
      `lookahead_readout` the last row belongs to Nesterov's iterate x.

    **Raises** `ValueError` for a method that depends on θ, moves without a gradient, is not linear
    or mixes the entries; the message says which.

    Source: Drori and Teboulle (2014), section 2: "fixed-step first-order methods".

    ```python
    >>> import lecture_optax as lo
    >>> lo.theory.step_matrix(lo.sgd(1.0, momentum=0.5), 3).round(3).tolist()
    [[0.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [-1.5, -1.0, 0.0], [-1.75, -1.5, -1.0]]

    ```
    """
    validate.steps(n=n, traced=False)
    if read is not None:
        validate.function(takes=3, read=read)
    step = step_of(tx)
    path, state = replay(tx, np.eye(n), np.zeros(n), step)
    _refuse_unless_superposed(tx, path, step)
    if read is not None:
        point = read(tx, state, path[-1])
        validate.numbers(**{"what read returns": point})
        if np.shape(point) != path[-1].shape:
            raise ValueError(
                f"read must return a point like params, of shape {path[-1].shape}, got shape "
                f"{np.shape(point)}."
            )
        path[-1] = point
    return path


def response(tx: Any, steps: int = 50, *, size: float = 1.0, at: int = 0) -> np.ndarray:
    """Return the updates that one gradient causes over time: the memory of a method.

        update(at), update(at + 1), ...    per unit of gradient, when only g(at) is not 0

    For a linear method these are the differences of a column of its step matrix. For any other
    (Adam, Lion) it is the response from θ = 0 to a gradient of this size.

    **Arguments**

    - `tx`: any gradient transformation.
    - `steps`: the number of updates to return, >= 1.
    - `size`: the size of the gradient, not 0.
    - `at`: the step of the gradient, >= 0.

    **Raises** `ValueError` if an update is not finite.

    ```python
    >>> import lecture_optax as lo
    >>> lo.theory.response(lo.sgd(1.0, momentum=0.5), 4).tolist()
    [-1.0, -0.5, -0.25, -0.125]
    >>> lo.theory.response(lo.sgd(1.0, momentum=0.5, nesterov=True), 4).tolist()  # look-ahead
    [-1.5, -0.25, -0.125, -0.0625]

    ```
    """
    validate.steps(steps=steps, traced=False)
    validate.steps(at=at, least=0, traced=False)
    validate.finite(size=size)
    if size == 0:
        raise ValueError("size must not be 0: a gradient of 0 has no response.")
    gradients = np.zeros((at + steps, 1))
    step = step_of(tx)
    idle, _ = replay(tx, gradients, np.zeros(1), step)
    gradients[at] = size
    moved, _ = replay(tx, gradients, np.zeros(1), step)
    updates = np.diff(moved - idle, axis=0)[at:, 0] / size
    if not np.isfinite(updates).all():
        raise ValueError(
            f"the response of {name_of(tx)} to a gradient of {size} contains "
            f"{updates[~np.isfinite(updates)][0]}: it divides by 0 when gradients are 0. Pass an "
            "eps above 0."
        )
    return updates


def _refuse_unless_superposed(tx: Any, matrix: np.ndarray, step: Step) -> None:
    """Raise a `ValueError` that names the assumption that does not hold."""
    rng, n = np.random.default_rng(0), matrix.shape[1]
    a, b = rng.normal(size=(2, n, _ENTRIES))

    def moved(gradients, start=0.0):
        return replay(tx, gradients, np.full(_ENTRIES, start), step)[0] - start

    path = moved(a)
    if np.isnan(idle := moved(0 * a)).any():
        _refuse(tx, "it divides 0 by 0 when gradients are 0", "response")
    if idle.any():
        _refuse(tx, "it moves without a gradient (noise, or a weight decay's θ(0))", "response")
    if not _same(moved(a, 1.0), path):
        _refuse(tx, "it depends on θ, as a weight decay does", "iteration_matrix")
    scaled = all(_same(moved(s * a), s * path) for s in (1e6, 1e-6))
    if not (scaled and _same(moved(a + b), path + moved(b))):
        _refuse(tx, "it is not linear in the gradients, like a D or a clip", "response")
    alike = moved(np.repeat(a[:, :1], _ENTRIES, axis=1))
    if not _same(alike, np.repeat(alike[..., :1], _ENTRIES, axis=-1)):
        _refuse(tx, "it treats equal entries differently, or at random", "response")
    if not _same(matrix @ a, path):
        _refuse(tx, "it mixes the entries of a gradient, as a matrix D does", "iteration_matrix")


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.abs(x - y).max() <= _TOLERANCE * np.abs(y).max())  # False for NaN


def _refuse(tx: Any, why: str, instead: str) -> None:
    raise ValueError(f"{name_of(tx)} has no step matrix: {why}. Try the probe {instead}.")
