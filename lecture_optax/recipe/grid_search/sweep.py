"""Exhaustive grids of runs: every optimizer, schedule, learning rate and seed."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, cast

from jax.sharding import Mesh

from ..._core import validate
from ..._core.extras import warn
from ..._core.keywords import explain_calls
from ...training.checkpoint.signals import Interruptions
from ...training.checks.arguments import SEARCH_SYNONYMS
from ...training.compiled.settings import run_settings
from ...training.conversion.arrays import as_arrays
from ...training.loop.evaluation import evaluation_steps
from ...training.loop.sources import ArraySource
from ...training.preparation import prepare, size_and_steps
from ...training.problem import as_problem
from ...training.reporting.progress import show_progress
from ..execution.devices import Cores, check_devices, executor_of
from ..execution.executor import Executor, InThisProcess, Job
from ..population.arms import OptimizerFactory, arm_members, arm_optimizer
from ..population.held_out import split_problem
from .finished import FinishedRuns
from .grid import Decay, Key, make_grid
from .results import Row, SweepResult, key_of
from .runner import Runs


@explain_calls(
    'lo.recipe.sweep(model, (x, y), "mse", rates=[1e-3, 1e-2], steps=1000)', SEARCH_SYNONYMS
)
@run_settings()
def sweep(
    problem: Any,
    data: Any = None,
    loss: Any = None,
    *,
    rates: Iterable[float],
    steps: int | None = None,
    epochs: int | None = None,
    optimizers: Sequence[str] | Mapping[str, OptimizerFactory] = ("adam", "nesterov"),
    schedules: Sequence[str] | Mapping[str, Decay] = ("constant", "linear"),
    seeds: Iterable[int] = (0,),
    batch_size: int | None = None,
    valid: Any = None,
    wrap: Any = None,
    sample_weight: Any = None,
    accumulate: int = 1,
    evaluations: int = 10,
    lanes: int | None = None,
    executor: Any = None,
    mesh: Mesh | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> SweepResult:
    """Train with every optimizer, learning rate, schedule and seed, as one compiled program.

    Runs of one seed start from the same parameters and use the same batches in the same order. A
    run ends at its first step that is not finite. Each is what `lo.fit` trains with that optimizer,
    up to rounding.

    **Arguments**

    - `problem`, `data`, `loss`, `batch_size`, `valid`, `wrap`, `sample_weight`, `accumulate`: as
      for `recipe.run`; the data are arrays.
    - `rates`: learning rates, > 0: `np.logspace(-4, 0, 17)`.
    - `steps`, or `epochs`: the length of every run, >= 1.
    - `optimizers`: names of "adam", "nesterov", or `{"name": learning rate -> optimizer}`.
    - `schedules`: names of "constant", "linear" (decays to 0 over the whole run), "late" (over its
      second half), or `{"name": (start, end)}` in fractions of the run.
    - `seeds`: whole numbers, for the initial parameters and the order of the examples.
    - `evaluations`: the number of evaluations of a run, evenly spaced, >= 1.
    - `lanes`: the number of runs vectorized in one program, >= 1. None takes 1 on a CPU, and on an
      accelerator the fastest of a short measurement.
    - `mesh`: the devices that share every batch, as for `recipe.run`; runs are then trained one
      after the other.
    - `executor`: where the runs are trained. By default in this process, one run per core of a CPU;
      "devices" trains on all local devices, `RayExecutor()` on the machines of a Ray cluster. The
      results have the same bits.
    - `checkpoint`: a file for finished runs, which are not repeated.
    - `progress`: True or False; None shows it in a terminal or notebook, and not under CI.

    **Returns** a `SweepResult`: print it, or use `best()`, `plot()`, `rows`.

    **Raises** `ValueError` or `TypeError` for an argument out of its range, and for the
    `checkpoint` of another sweep; `OSError` if another sweep writes into it; `SystemExit(143)`
    after SIGTERM and `KeyboardInterrupt` after Ctrl-C, within a chunk of steps.

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
    grid = make_grid(optimizers, schedules, rates, seeds)
    sample_weight = as_arrays(sample_weight, "sample_weight")
    steps = size_and_steps(given, steps, epochs, batch_size, accumulate, sample_weight)[1]
    validate.steps(of="evaluations", evaluations=evaluations)
    if lanes is not None:
        validate.steps(of="runs", lanes=lanes)
    chosen = executor_of(executor)
    with Interruptions() as interruptions:
        prepared = prepare(
            given,
            arm_optimizer(grid.own, wrap),
            steps=steps,
            batch_size=batch_size,
            accumulate=accumulate,
            sample_weight=sample_weight,
            hyperparams=grid.hyperparams(next(iter(grid)), steps),
            mesh=mesh,
            split=split_problem,
            arms=arm_members(grid.own, wrap, steps),
        )
        program = prepared.program
        check_devices(executor, program)
        pools = chosen or (Cores() if program.mesh is None else InThisProcess())
        starts = {seed: program.init(seed)._replace(opt_state=None) for seed in grid.seeds}
        each = evaluation_steps(evaluations, steps)
        runs = Runs(
            program, cast(ArraySource, prepared.source), prepared.valid, starts, grid, steps, each
        )
        done = _all_rows(runs, pools, lanes, checkpoint, progress, interruptions)
        result = SweepResult(tuple(done[key] for key in grid), runs.start_loss(), steps)
        interruptions.obey()  # a signal may arrive after the last run
        return result


def _all_rows(
    runs: Runs,
    executor: Executor,
    lanes: int | None,
    checkpoint: Any,
    progress: bool | None,
    interruptions: Interruptions,
) -> dict[Key, Row]:
    """Return the rows of the file and those of the runs that are still to train."""
    with ExitStack() as stack:
        finished = None
        if checkpoint is not None:
            finished = stack.enter_context(FinishedRuns(checkpoint, runs.identity()))
        done = finished.rows if finished else {}
        missing = [key for key in runs.grid if key not in done]
        if finished and finished.damaged and missing:
            warn(
                f"{finished.damaged} lines of {str(finished.path)!r} are damaged: the runs that "
                "they held are trained again."
            )
        showing = show_progress(progress, unit="runs", label="lowest loss")
        reporter = stack.enter_context(showing)

        def obey() -> None:
            saved = finished and f"{len(done)} finished runs are saved in {str(finished.path)!r}"
            interruptions.obey(saved or "")

        groups = runs.groups(missing, lanes or runs.best_lane_count(missing))
        pool = stack.enter_context(executor.start(runs, obey))
        for _, rows, _ in pool.run(map(Job, groups)):
            found = {key_of(row): row for row in rows}  # the last group may repeat one
            done |= found
            if finished:
                for row in found.values():
                    finished.add(row)
            obey()
            lowest, ended = min(row.lowest for row in done.values()), len(done) == len(runs.grid)
            reporter.update(len(done), len(runs.grid), lowest, ended=ended)
    return done
