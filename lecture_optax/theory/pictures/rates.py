"""Pictures of rates of convergence: in the worst case and under noise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..._average import average_iterates, averaged
from ..._core.chain import chain
from ..._learning_rate import scale_by_learning_rate
from ..._optimized_trace import optimized_trace
from ...optimizers import sgd
from ...schedules import inverse_time, momentum_nesterov, silver
from ..probes import step_matrix, worst_case
from ..probes.replay import float64
from .style import REFERENCE, axes_for, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def worst_cases(
    methods: Mapping[str, Any] | None = None,
    *,
    steps: int = 31,
    certify: bool = False,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the worst case of each method over convex losses against N, on logarithmic axes.

    Grey lines show the bounds 1/(4N + 2) and 2/(N + 1)², and 3/(32 (N + 1)²), below which no method
    can be.

    **Arguments**

    - `methods`: names, and transformations for L = 1 or functions `N -> transformation`.
    - `steps`: the largest N. The values are N = 1, 3, 7, 15, ..., where silver steps are complete.
    - `certify`: True computes proofs with PEPit. False takes the worst of parabolas and Huber's
      functions, which is the same number for the default methods.
    - `ax`: axes to draw on; new ones by default.

    ```python
    >>> import lecture_optax as lo
    >>> ax = lo.theory.pictures.worst_cases({"gradient descent": lo.sgd(1.0)}, steps=3)
    >>> ax.lines[0].get_ydata().round(6).tolist()  # 1/(4N + 2)
    [0.166667, 0.071429]

    ```
    """
    methods = methods or {
        "gradient descent, τ = 1/L": sgd(1.0),
        "silver steps": sgd(silver()),
        "Nesterov, k/(k+3)": sgd(1.0, momentum_nesterov(), nesterov=True),
        "optimized for N": lambda n: chain(optimized_trace(n), scale_by_learning_rate(1.0)),
    }
    numbers = 2 ** np.arange(1, int(np.log2(steps + 1)) + 1) - 1
    words = {"xlabel": "number of gradients N", "ylabel": "largest f(θ(N)) - f*, in L R²"}
    ax = axes_for(ax, title="worst case over convex losses", **words)
    for i, (name, method) in enumerate(methods.items()):
        left = [worst_case(H, certify=certify) for H in _step_matrices(method, numbers)]
        ax.plot(numbers, left, label=name, clip_on=False, **look(i))
    laws = {
        "1/(4N + 2)": 1 / (4 * numbers + 2),
        "2/(N + 1)²": 2 / (numbers + 1) ** 2,
        "3/(32 (N + 1)²)": 3 / (32 * (numbers + 1) ** 2),
    }
    for law, values in laws.items():
        ax.plot(numbers, values, **REFERENCE)
        end = (numbers[-1], values[-1])
        ax.annotate(law, end, (6, 0), textcoords="offset points", color="0.4", va="center")
    ax.set(xscale="log", yscale="log", xlim=(numbers[0], numbers[-1]))
    ax.set_xticks(numbers, [str(n) for n in numbers], minor=False)
    ax.minorticks_off()
    ax.legend(loc="lower left")
    return ax


@float64()
def annealing(
    methods: Mapping[str, optax.GradientTransformation] | None = None,
    *,
    steps: int = 10_000,
    runs: int = 500,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the cost of a wrong constant in τ = c/k, and an average that needs no constant.

    The picture shows the mean of θ(k)² over many runs on θ²/2 with noise of variance 1, from
    θ(0) = 1. The best possible is 1/k (grey), reached for c = 1; c = 0.1 gives k^-0.2. With a
    constant τ the error stops decreasing, but the average of the iterates keeps improving for any
    τ.

    **Arguments**

    - `methods`: names and transformations. A method with an average is read with `averaged`.
    - `steps`, `runs`: the number of steps and of runs; every method gets the same noise.
    - `ax`: axes to draw on; new ones by default.

    Source: Bottou, Curtis and Nocedal (2018), theorem 4.7; Polyak and Juditsky (1992).

    ```python
    >>> import lecture_optax as lo
    >>> ax = lo.theory.pictures.annealing({"SGD": lo.sgd(0.1)}, steps=100, runs=10)
    >>> ax.get_ylabel()
    'mean of θ(k)²'

    ```
    """
    falling = inverse_time
    methods = methods or {
        "τ = 0.1/k": sgd(falling(0.1)),
        "τ = 0.25/k": sgd(falling(0.25)),
        "τ = 1/k": sgd(falling(1.0)),
        "τ = 0.3": sgd(0.3),
        "τ = 0.3, averaged": chain(sgd(0.3), average_iterates()),
    }
    ax = axes_for(ax, xlabel="step k", ylabel="mean of θ(k)²", title="error under gradient noise")
    seen = np.unique(np.geomspace(1, steps, 60).astype(int))
    for i, (name, tx) in enumerate(methods.items()):
        ax.plot(seen, _mean_square(tx, steps, runs)[seen - 1], label=name, **look(i, marked=False))
    ax.plot(seen, 1 / seen, **REFERENCE)
    middle = (seen[len(seen) // 2], 1 / seen[len(seen) // 2])
    ax.annotate("1/k", middle, (-6, -6), textcoords="offset points", ha="right", va="top")
    ax.set(xscale="log", yscale="log")
    ax.legend(loc="lower left")
    return ax


def _step_matrices(method: Any, numbers: np.ndarray) -> list[np.ndarray]:
    """Return the step matrix for each N; without N in the method, all are parts of the last."""
    if callable(method):
        return [step_matrix(method(int(n)), int(n)) for n in numbers]
    H = step_matrix(method, int(numbers[-1]))
    return [H[: n + 1, :n] for n in numbers]


def _mean_square(tx: optax.GradientTransformation, steps: int, runs: int) -> np.ndarray:
    def body(carry, key):
        θ, state = carry
        gradient = θ + jax.random.normal(key, (runs,))
        update, state = tx.update(gradient, state, θ)
        θ = optax.apply_updates(θ, update)
        return (θ, state), jnp.mean(jnp.asarray(_averaged_or_last(state, θ)) ** 2)

    start = jnp.ones(runs)
    keys = jax.random.split(jax.random.key(0), steps)
    _, path = jax.jit(lambda θ: jax.lax.scan(body, (θ, tx.init(θ)), keys))(start)
    return np.asarray(path)


def _averaged_or_last(state: Any, params: Any) -> Any:
    try:
        return averaged(state, params)
    except ValueError:  # the state contains no average
        return params
