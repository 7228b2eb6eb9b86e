"""The compiled run of an optimizer on a landscape.

One program serves every value of the hyperparameters, of the landscape's controls, of the start,
the batch size, the seed and the number of steps: all of them are arguments.
"""

import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .._average import averaged, averages_in
from .expression import Expression, build
from .landscapes import EXAMPLES, Controls, Landscape

MOST_STEPS = 2_000
PART_SECONDS = 0.1
"""How long a network may run until it reports."""

Array = Any
"""An array of JAX, or of NumPy once the run has ended."""

Report = Callable[[dict[str, Any]], None]
"""Takes the progress of a run: {"fraction": 0.4, "text": "step 200 of 500"}."""


class Cancelled(Exception):
    """Raised by a report to end the run."""


def silent(progress: dict[str, Any]) -> None:
    """Report to nobody."""


class Trace(NamedTuple):
    """What a run recorded; after its last step the entries are 0.

    - `path`: θ(0), ..., θ(n), and `average`: what `averaged` returns there, or θ.
    - `loss`, `average_loss`: of all examples at these points.
    - `batch_loss`: of the examples of step k, before the step.
    - `learning_rate`: τ(k) of step k; NaN where the state names none.
    - `update`: |θ(k+1) - θ(k)|, and `ratio`: the same divided by |θ(k)|.
    """

    path: Array
    average: Array
    loss: Array
    average_loss: Array
    batch_loss: Array
    learning_rate: Array
    update: Array
    ratio: Array


class Run(NamedTuple):
    """A run between two steps: the parameters, the state of the optimizer, and the record."""

    θ: Array
    state: Any
    trace: Trace


def simulate(
    tx: optax.GradientTransformationExtraArgs,
    landscape: Landscape,
    controls: Controls,
    start: Array,
    batch: Any,
    orders: Array,
    steps: Any,
) -> Trace:
    """Return the record of `steps` steps from `start`.

    - `batch`: the number of examples of a step; `orders[k]` are those of step k, and the first
      `batch` of them count. Its length is the largest number of steps.
    """
    run = begin(tx, landscape, controls, start, len(orders))
    return advance(tx, landscape, controls, batch, orders, run, 0, steps).trace


def begin(
    tx: optax.GradientTransformationExtraArgs,
    landscape: Landscape,
    controls: Controls,
    start: Array,
    most: int,
) -> Run:
    """Return a run at its start, with room for the record of `most` steps."""
    points = jnp.zeros((most + 1, len(start))).at[0].set(start)
    losses = jnp.zeros(most + 1).at[0].set(landscape.loss(start, controls))
    nothing = jnp.zeros(most)
    trace = Trace(points, points, losses, losses, nothing, nothing, nothing, nothing)
    return Run(start, tx.init(start), trace)


def advance(
    tx: optax.GradientTransformationExtraArgs,
    landscape: Landscape,
    controls: Controls,
    batch: Any,
    orders: Array,
    run: Run,
    first: Any,
    last: Any,
) -> Run:
    """Make the steps from `first` up to `last`, which is not included."""

    def loss(θ):
        return landscape.loss(θ, controls)

    def batch_loss(θ, rows):
        return landscape.losses(θ, controls)[rows].mean(where=jnp.arange(len(rows)) < batch)

    def body(k, run):
        θ, state, trace = run
        objective = functools.partial(batch_loss, rows=orders[k])
        if not landscape.has_examples:
            objective = loss
        value, gradient = jax.value_and_grad(objective)(θ)
        updates, state = tx.update(gradient, state, θ, value=value, value_fn=objective)
        new = optax.apply_updates(θ, updates)
        size, average = jnp.linalg.norm(new - θ), _average(state, new)
        return Run(
            new,
            state,
            Trace(
                trace.path.at[k + 1].set(new),
                trace.average.at[k + 1].set(average),
                trace.loss.at[k + 1].set(loss(new)),
                trace.average_loss.at[k + 1].set(loss(average)),
                trace.batch_loss.at[k].set(value),
                trace.learning_rate.at[k].set(_learning_rate(state)),
                trace.update.at[k].set(size),
                trace.ratio.at[k].set(size / jnp.linalg.norm(θ)),
            ),
        )

    return jax.lax.fori_loop(first, last, body, run)


def _average(state: Any, θ: Array) -> Array:
    """Return what `averaged` returns, or θ without an average."""
    return averaged(state, θ) if averages_in(state) else θ


def _learning_rate(state: Any) -> jax.Array:
    """Return the last learning rate that the state names, or NaN."""
    rates = optax.tree.get_all_with_path(state, "learning_rate")
    return jnp.asarray(rates[-1][1], float) if rates else jnp.asarray(jnp.nan)


class Programs:
    """The compiled programs of a page, one for each structure and landscape.

    - `most`: the number of programs that are kept: those that were used last.
    """

    def __init__(self, most: int = 64) -> None:
        self.most = most
        self.compilations = 0
        self._programs: OrderedDict[tuple[str, str], Program] = OrderedDict()
        self._lock = threading.Lock()

    def run(
        self,
        expression: Expression,
        landscape: Landscape,
        controls: Mapping[str, float],
        start: Sequence[float] | np.ndarray,
        *,
        batch: int = EXAMPLES,
        seed: int = 0,
        steps: int = 200,
        report: Report = silent,
    ) -> Trace:
        """Return the trace of a run as NumPy arrays of `steps` (+ 1) entries."""
        trace = self._program(expression.structure, landscape)(
            expression.numbers,
            {name: float(value) for name, value in controls.items()},
            jnp.asarray(start, jnp.float32),
            int(batch),
            orders_of(int(seed), landscape.examples) if landscape.has_examples else _NO_ORDERS,
            int(steps),
            report,
        )
        points, moves = [steps + 1] * 4, [steps] * 4
        lengths = [*points, *moves]
        return Trace(*(np.asarray(x)[:n] for x, n in zip(trace, lengths, strict=True)))

    def _program(self, structure: str, landscape: Landscape) -> "Program":
        """Return the program of a structure on a landscape, and forget the one used longest ago."""
        key = structure, landscape.name
        with self._lock:
            if key not in self._programs:
                self._programs[key] = Program(structure, landscape, self._count)
            self._programs.move_to_end(key)
            if len(self._programs) > self.most:
                self._programs.popitem(last=False)
            return self._programs[key]

    def _count(self) -> None:
        with self._lock:
            self.compilations += 1


class Program:
    """The compiled run of one structure on one landscape; one call at a time.

    Two parameters take one call of the compiled program. A network takes several, so that it can
    report and be cancelled between them.
    """

    def __init__(self, structure: str, landscape: Landscape, count: Callable[[], None]) -> None:
        self._lock = threading.Lock()  # two threads must not compile the same program
        self._is_new = True
        self._is_long = landscape.is_network

        def whole(numbers, controls, start, batch, orders, steps):
            count()  # runs when JAX traces, once for each compilation
            tx = build(structure, numbers)
            return simulate(tx, landscape, controls, start, batch, orders, steps)

        def first_part(numbers, controls, start):
            return begin(build(structure, numbers), landscape, controls, start, MOST_STEPS)

        def next_part(numbers, controls, batch, orders, run, first, last):
            count()
            tx = build(structure, numbers)
            return advance(tx, landscape, controls, batch, orders, run, first, last)

        self._whole, self._begin = jax.jit(whole), jax.jit(first_part)
        self._advance = jax.jit(next_part, donate_argnames="run")

    def __call__(self, numbers, controls, start, batch, orders, steps, report: Report) -> Trace:
        with self._lock:
            if self._is_new:
                report({"fraction": 0.0, "text": "compiling"})
            if self._is_long:
                trace = self._in_parts(numbers, controls, start, batch, orders, steps, report)
            else:
                trace = self._whole(numbers, controls, start, batch, orders, steps)
            self._is_new = False
            return jax.block_until_ready(trace)

    def _in_parts(self, numbers, controls, start, batch, orders, steps, report):
        run, first, size = self._begin(numbers, controls, start), 0, 1
        while first < steps:
            before, last = time.perf_counter(), min(first + size, steps)
            run = self._advance(numbers, controls, batch, orders, run, first, last)
            jax.block_until_ready(run)
            if time.perf_counter() - before < PART_SECONDS / 2:
                size *= 2
            first = last
            report({"fraction": first / steps, "text": f"step {first} of {steps}"})
        return run.trace


_NO_ORDERS = np.zeros((MOST_STEPS, 0), np.int32)


@functools.lru_cache(16)
def orders_of(seed: int, examples: int = EXAMPLES) -> np.ndarray:
    """Return the first examples of each step, of shape (MOST_STEPS, EXAMPLES)."""
    draws = np.random.default_rng(seed).random((MOST_STEPS, examples), np.float32)
    return draws.argsort(1)[:, :EXAMPLES].astype(np.int32)
