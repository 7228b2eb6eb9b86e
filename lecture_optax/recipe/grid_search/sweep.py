"""What would every rate, family, schedule and seed have given? An exhaustive grid, for studies.

Runs are made one after the other on each core of a CPU (`runs.py`), and side by side on an
accelerator (`lanes.py`).
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from ..._core import validate
from ...training.loop.evaluation import evaluation_steps
from ...training.preparation import prepare
from ...training.problem import as_problem
from ...training.reporting.progress import Display, Status, display_for
from ..population.arms import OptimizerFactory, arm_optimizer
from ..population.held_out import holdout_split
from .grid import Decay, Key, grid_of
from .results import Row, Sweep, finished, keep, key_of
from .runner import Runs, fastest, side_by_side


def sweep(
    problem: Any,
    data: Any = None,
    loss: Any = None,
    *,
    rates: Iterable[float],
    steps: int,
    optimizers: Sequence[str] | Mapping[str, OptimizerFactory] = ("adam", "nesterov"),
    schedules: Sequence[str] | Mapping[str, Decay] = ("constant", "linear"),
    seeds: Iterable[int] = (0,),
    batch_size: int | None = None,
    valid: Any = None,
    wrap: Any = None,
    evaluations: int = 10,
    lanes: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Sweep:
    """Train with every family, rate, schedule and seed, as one compiled program.

    Runs of a seed start alike and see the same rows in the same order: they are paired. A run ends
    at its first step that is not finite. Each has the bits of
    `lo.fit(problem, tx=lo.recipe.arm_optimizer(), hyperparams=...)`, but in lanes, where they are near.

    **Arguments**

    - `problem`, `data`, `loss`, `batch_size`, `valid`, `wrap`: as for `recipe.run`.
    - `rates`: learning rates, > 0: `np.logspace(-4, 0, 17)`.
    - `steps`: of every run, >= 1.
    - `optimizers`: names of "adam", "nesterov", or `{"name": rate -> optimizer}`.
    - `schedules`: names of "constant", "linear" (falls to 0 over the whole run), "late" (over its
      second half), or `{"name": (from, to)}` in parts of the run.
    - `seeds`: whole numbers: of the initial parameters and the order of rows.
    - `evaluations`: how often held-out rows are looked at in a run, evenly, >= 1.
    - `lanes`: how many runs go side by side in one program, >= 1. None takes 1 on a CPU, and on an
      accelerator what a short measurement finds fastest.
    - `checkpoint`: a file that keeps finished runs: they are not made again.
    - `progress`: None shows it where it fits, nothing under CI; True, False.

    **Returns** a `Sweep`: print it, `best()`, `plot()`, `rows`.

    **Raises** `ValueError` or `TypeError` for an argument out of its range, and for a `checkpoint`
    of another sweep.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
    >>> problem = lo.training.Problem.from_functions(
    ...     init=lambda key: jnp.zeros(1),
    ...     loss=lambda θ, batch: (batch["x"] @ θ - batch["y"]) ** 2,
    ...     train={"x": x, "y": 3 * x[:, 0]},
    ... )
    >>> grid = lo.recipe.sweep(problem, rates=[1e-3, 1e-2, 1e-1], steps=60, batch_size=16)
    >>> len(grid), grid.best().rate
    (12, 0.1)

    ```
    """
    given = as_problem(problem, data, loss=loss, valid=valid)
    grid = grid_of(optimizers, schedules, rates, seeds)
    validate.steps(steps=steps)
    validate.steps(of="evaluations", evaluations=evaluations)
    if lanes is not None:
        validate.steps(of="runs", lanes=lanes)
    prepared = prepare(
        given,
        arm_optimizer(grid.own, wrap),
        steps=steps,
        batch_size=batch_size,
        hyperparams=grid.numbers(next(iter(grid)), steps),
        split=holdout_split,
    )
    program = prepared.program
    starts = {seed: program.init(seed)._replace(opt_state=None) for seed in grid.seeds}
    each = evaluation_steps(evaluations, steps)
    runs = Runs(program, prepared.source, prepared.valid, starts, grid, steps, each)
    done = _all_rows(runs, lanes, checkpoint, progress)
    return Sweep(tuple(done[key] for key in grid), runs.start_loss(), steps)


def _all_rows(
    runs: Runs, lanes: int | None, checkpoint: Any, progress: bool | None
) -> dict[Key, Row]:
    """The rows that the file has, and those that are made now."""
    done, file = {}, None
    with ExitStack() as stack:
        if checkpoint is not None:
            path = Path(checkpoint).expanduser()
            done = finished(path, runs.identity())
            file = stack.enter_context(path.open("a"))
        display = display_for(progress)
        told = _Told(display and stack.enter_context(closing(display)), len(runs.grid), len(done))
        for row in _made(runs, [key for key in runs.grid if key not in done], lanes):
            done[key_of(row)] = row
            if file:
                keep(file, row)
            told.of(done)
    return done


def _made(runs: Runs, keys: list[Key], lanes: int | None) -> Iterator[Row]:
    together = lanes or fastest(runs, keys)
    return side_by_side(runs, keys, together) if together > 1 else runs.make(keys)


class _Status(Status):
    """The words of a run, for many."""

    @property
    def done(self) -> str:
        return f"{self.step:,} of {self.steps:,} runs"

    @property
    def seen(self) -> str:
        return f"lowest loss {self.loss:.4g}"

    @property
    def time(self) -> str:
        return super().time.replace("steps/s", "runs/s")


class _Told:
    """What a person is told between runs, not more often than the display wants."""

    def __init__(self, display: Display | None, runs: int, before: int):
        self.display, self.runs, self.before = display, runs, before
        self.began = self.shown = time.perf_counter()

    def of(self, done: Mapping[Key, Row]) -> None:
        now, ended = time.perf_counter(), len(done) == self.runs
        if self.display is None or not (ended or now - self.shown >= self.display.seconds):
            return
        self.shown = now
        seconds = now - self.began
        rate = (len(done) - self.before) / seconds if seconds else 0.0
        lowest = min(row.lowest for row in done.values())
        self.display.show(_Status(len(done), self.runs, lowest, {}, rate, seconds, ended))
