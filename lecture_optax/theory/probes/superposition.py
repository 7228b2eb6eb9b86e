"""Which past gradients is θ made of, and with which weights?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._core import validate
from .replay import Step, name_of, replay, step_of

_ENTRIES = 3
_TOLERANCE = 1e-6  # an int32 step count makes a schedule of Optax float32: 3e-8


def step_matrix(tx: Any, n: int, *, read: Callable | None = None) -> np.ndarray:
    """Read off the weights by which past gradients make up θ.

        θ(i) - θ(0) = Σ_j H[i, j] g(j),    i = 0, ..., n

    Of methods that are linear in the gradients: any velocity, any schedule, no D that looks at the
    gradient. Their whole behaviour over n steps is in these (n + 1) × n numbers. Measured with
    unit vectors as gradients, and confirmed on random ones.

    **Arguments**

    - `tx`: a gradient transformation, ours or not.
    - `n`: the number of steps, >= 1.
    - `read`: `(tx, state, params) -> point`, read after the last step in place of θ(n): with
      `lookahead_readout` the last row is Nesterov's own iterate.

    **Raises** `ValueError` for a method that is not of this form, saying what is in the way: it
    depends on θ, it moves without a gradient, it is not linear, it mixes the entries.

    Source: Drori and Teboulle (2014), section 2: "fixed-step first-order methods".

    ```python
    >>> import lecture_optax as lo
    >>> lo.theory.step_matrix(lo.sgd(1.0, momentum=0.5), 3).round(3).tolist()
    [[0.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [-1.5, -1.0, 0.0], [-1.75, -1.5, -1.0]]

    ```
    """
    validate.steps(n=n)
    step = step_of(tx)
    path, state = replay(tx, np.eye(n), np.zeros(n), step)
    _refuse_unless_superposed(tx, path, step)
    if read is not None:
        path[-1] = read(tx, state, path[-1])
    return path


def response(tx: Any, steps: int = 50, *, size: float = 1.0, at: int = 0) -> np.ndarray:
    """Measure what one gradient does over time: the memory of a method.

        update(at), update(at + 1), ...    per unit of a gradient that is there at step `at` only

    Of a linear method this is a column of its step matrix, taken apart. Of any other (Adam, Lion)
    it is the answer to a gradient of this size, after none and before none, from θ = 0.

    **Arguments**

    - `tx`: a gradient transformation, ours or not.
    - `steps`: how many updates to read, >= 1.
    - `size`: of the gradient, not 0.
    - `at`: the step at which it comes, >= 0.

    **Raises** `ValueError` if an update is not finite.

    ```python
    >>> import lecture_optax as lo
    >>> lo.theory.response(lo.sgd(1.0, momentum=0.5), 4).tolist()
    [-1.0, -0.5, -0.25, -0.125]
    >>> lo.theory.response(lo.sgd(1.0, momentum=0.5, nesterov=True), 4).tolist()  # looks ahead
    [-1.5, -0.25, -0.125, -0.0625]

    ```
    """
    validate.steps(steps=steps)
    validate.steps(at=at, least=0)
    validate.finite(size=size)
    if size == 0:
        raise ValueError("size must not be 0: without a gradient there is nothing to answer.")
    gradients = np.zeros((at + steps, 1))
    step = step_of(tx)
    idle, _ = replay(tx, gradients, np.zeros(1), step)
    gradients[at] = size
    moved, _ = replay(tx, gradients, np.zeros(1), step)
    updates = np.diff(moved - idle, axis=0)[at:, 0] / size
    if not np.isfinite(updates).all():
        raise ValueError(
            f"{name_of(tx)} answers a gradient of {size} with {updates[~np.isfinite(updates)][0]}: "
            "it divides by zero where gradients are zero. Give it an eps above 0."
        )
    return updates


def _refuse_unless_superposed(tx: Any, matrix: np.ndarray, step: Step) -> None:
    """`ValueError` that says which of the assumptions does not hold."""
    rng, n = np.random.default_rng(0), matrix.shape[1]
    a, b = rng.normal(size=(2, n, _ENTRIES))

    def moved(gradients, start=0.0):
        return replay(tx, gradients, np.full(_ENTRIES, start), step)[0] - start

    path = moved(a)
    if np.isnan(idle := moved(0 * a)).any():
        _refuse(tx, "it divides 0 by 0 where gradients are 0", "response")
    if idle.any():
        _refuse(
            tx, "it moves without a gradient (noise, say, or a weight decay's θ(0))", "response"
        )
    if not _same(moved(a, 1.0), path):
        _refuse(tx, "it depends on θ, as a weight decay does", "iteration_matrix")
    scaled = all(_same(moved(s * a), s * path) for s in (1e6, 1e-6))
    if not (scaled and _same(moved(a + b), path + moved(b))):
        _refuse(tx, "it is not linear in the gradients, as a D is not or a clip", "response")
    alike = moved(np.repeat(a[:, :1], _ENTRIES, axis=1))
    if not _same(alike, np.repeat(alike[..., :1], _ENTRIES, axis=-1)):
        _refuse(tx, "it treats equal entries by laws of their own, or at random", "response")
    if not _same(matrix @ a, path):
        _refuse(tx, "it mixes the entries of a gradient, as a matrix D does", "iteration_matrix")


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.abs(x - y).max() <= _TOLERANCE * np.abs(y).max())  # NaN is not


def _refuse(tx: Any, why: str, instead: str) -> None:
    raise ValueError(
        f"{name_of(tx)} has no step matrix: {why}. The probe {instead} may still answer."
    )
