"""The compiled run of an optimizer on a landscape.

One program serves every value of the hyperparameters, of the landscape's controls, of the start,
the batch size, the seed and the number of steps: all of them are arguments.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .._average import averaged, averages_in
from .expression import Expression, build
from .landscapes import EXAMPLES, Landscape

MOST_STEPS = 2_000

Report = Callable[[dict[str, Any]], None]
"""Takes the progress of a run: {"fraction": 0.4, "text": "step 200 of 500"}."""


class Cancelled(Exception):
    """Raised by a report to end the run."""


def silent(progress: dict[str, Any]) -> None:
    """Report to nobody."""


class Trace(NamedTuple):
    """What a run recorded; after its last step the entries are 0.

    - `path`: θ(0), ..., θ(n), and `average`: what `averaged` returns there.
    - `loss`: of all examples at these points.
    - `learning_rate`: τ(k) of step k; NaN where the state names none.
    - `update`: |θ(k+1) - θ(k)|, and `ratio`: the same divided by |θ(k)|.
    """

    path: jax.Array
    average: jax.Array
    loss: jax.Array
    learning_rate: jax.Array
    update: jax.Array
    ratio: jax.Array


def simulate(
    tx: optax.GradientTransformation,
    landscape: Landscape,
    controls: Mapping[str, Any],
    start: jax.Array,
    batch: Any,
    orders: jax.Array,
    steps: Any,
) -> Trace:
    """Run `steps` steps from `start`.

    - `batch`: the number of examples of a step; `orders[k]` are those of step k, and the first
      `batch` of them count. Its length is the largest number of steps.
    """
    most = len(orders)

    def loss(θ):
        return landscape.loss(θ, controls)

    def batch_loss(θ, rows):
        weights = jnp.arange(len(rows)) < batch
        return (landscape.losses(θ, controls)[rows] * weights).sum() / weights.sum()

    def body(k, carry):
        θ, state, trace = carry
        objective = functools.partial(batch_loss, rows=orders[k])
        if not landscape.has_examples:
            objective = loss
        value, gradient = jax.value_and_grad(objective)(θ)
        updates, state = tx.update(gradient, state, θ, value=value, value_fn=objective)
        new = optax.apply_updates(θ, updates)
        size = jnp.linalg.norm(new - θ)
        return (
            new,
            state,
            Trace(
                trace.path.at[k + 1].set(new),
                trace.average.at[k + 1].set(_average(state, new)),
                trace.loss.at[k + 1].set(loss(new)),
                trace.learning_rate.at[k].set(_learning_rate(state)),
                trace.update.at[k].set(size),
                trace.ratio.at[k].set(size / jnp.linalg.norm(θ)),
            ),
        )

    points = jnp.zeros((most + 1, len(start))).at[0].set(start)
    losses = jnp.zeros(most + 1).at[0].set(loss(start))
    nothing = jnp.zeros(most)
    trace = Trace(points, points, losses, nothing, nothing, nothing)
    return jax.lax.fori_loop(0, steps, body, (start, tx.init(start), trace))[2]


def _average(state: Any, θ: jax.Array) -> jax.Array:
    """Return what `averaged` returns, or θ without an average."""
    return averaged(state, θ) if averages_in(state) else θ


def _learning_rate(state: Any) -> jax.Array:
    """Return the last learning rate that the state names, or NaN."""
    rates = optax.tree.get_all_with_path(state, "learning_rate")
    return jnp.asarray(rates[-1][1], float) if rates else jnp.asarray(jnp.nan)


class Programs:
    """The compiled programs of a page, one for each structure and landscape."""

    def __init__(self) -> None:
        self._programs: dict[tuple[str, str], Callable[..., Any]] = {}
        self.compilations = 0

    def run(
        self,
        expression: Expression,
        landscape: Landscape,
        controls: Mapping[str, float],
        start: Sequence[float],
        *,
        batch: int = EXAMPLES,
        seed: int = 0,
        steps: int = 200,
        report: Report = silent,
    ) -> Trace:
        """Return the trace of a run as NumPy arrays of `steps` (+ 1) entries."""
        key = expression.structure, landscape.name
        if key not in self._programs:
            self._programs[key] = self._program(expression.structure, landscape)
        numbers = tuple(
            int(handle.value) if "integer" in handle.scale else float(handle.value)
            for handle in expression.handles
        )
        trace = self._programs[key](
            numbers,
            {name: float(value) for name, value in controls.items()},
            jnp.asarray(start, jnp.float32),
            int(batch),
            orders_of(int(seed)) if landscape.has_examples else _NO_ORDERS,
            int(steps),
        )
        lengths = Trace(steps + 1, steps + 1, steps + 1, steps, steps, steps)
        return Trace(*(np.asarray(x)[:n] for x, n in zip(trace, lengths, strict=True)))

    def _program(self, structure: str, landscape: Landscape) -> Callable[..., Any]:
        def program(numbers, controls, start, batch, orders, steps):
            self.compilations += 1  # runs when JAX traces, once for each compilation
            return simulate(
                build(structure, numbers), landscape, controls, start, batch, orders, steps
            )

        return jax.jit(program)


_NO_ORDERS = np.zeros((MOST_STEPS, 0), np.int32)


@functools.lru_cache(16)
def orders_of(seed: int) -> np.ndarray:
    """Return the order of the examples of each step, of shape (MOST_STEPS, EXAMPLES)."""
    keys = jax.random.split(jax.random.key(seed), MOST_STEPS)
    return np.asarray(jax.vmap(lambda key: jax.random.permutation(key, EXAMPLES))(keys))
