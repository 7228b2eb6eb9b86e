"""One call: a model and data in, a trained model and its history out."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
from jax.sharding import Mesh

from ._core import validate
from .training._trees import is_stream
from .training.checkpoint.saver import go_on_saved
from .training.checks.arguments import (
    check_beside_a_stream,
    check_functions,
    check_kept,
    check_mesh,
    check_optimizer_arguments,
    check_seed,
)
from .training.checks.data import check_rows
from .training.checks.likely_mistakes import doubts
from .training.checks.targets import check_targets
from .training.compiled.program import Program, slow_in_a_loop
from .training.compiled.sharding import placed
from .training.loop.batch_statistics import settle_by
from .training.loop.evaluation import evaluation_steps
from .training.loop.run import Callback, Hook, Run
from .training.loop.sources import Rows, Stream
from .training.optimizer import lecture_default, with_average
from .training.problem import Problem, problem_of
from .training.reporting.log import Write, log_to
from .training.reporting.progress import watch
from .training.result import Result, result_of


def fit(
    model: Any,
    data: Any = None,
    *,
    loss: Any = None,
    valid: Any = None,
    tx: Any = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    hyperparams: Mapping[str, Any] | None = None,
    budget: float | None = None,
    params: Any = None,
    apply: Callable[..., Any] | None = None,
    metrics: Any = None,
    sample_weight: Any = None,
    evaluations: int | Sequence[int] = 20,
    keep: str | None = None,
    average: Any = None,
    accumulate: int = 1,
    dtype: Any = None,
    callbacks: Sequence[Callback] = (),
    hooks: Sequence[Hook] = (),
    mesh: Mesh | None = None,
    progress: bool | None = None,
    log: Write | str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    strict: bool = False,
) -> Result:
    """Train a model, and return it with what was seen on the way.

    Steps run on the device in compiled chunks; the order of the rows is a pure function of `seed`
    and the step; every batch is full. The model is not changed: linen and Equinox give a new
    one, an nnx model is updated at the end, and not at all when the run fails.

    **Arguments**

    - `model`: a Flax linen module, a Flax nnx model, an Equinox module (or the pair of module and
      state), or a `training.Problem`, which brings its own data and loss.
    - `data`: (x, y), two trees of arrays with rows first; or, where they do not fit, an iterable of
      such batches, all of one shape: a generator, a data loader, a Grain dataset (`stream.py`).
    - `loss`: "cross_entropy", "mse", "mae", "huber", "binary_cross_entropy", or a function of
      (prediction, target) that returns one number per example.
    - `valid`: held-out (x, y), on which all `evaluations` are taken.
    - `tx`: a gradient transformation. None: the library chooses, `result.choice` says how, and
      another version may choose otherwise. With `hyperparams`, a function that builds one.
    - `steps`, or `epochs`: how long, >= 1; an epoch is rows / batch_size steps, rounded up.
    - `batch_size`: rows of a batch, min(64, rows) by default.
    - `seed`: the model's `init` is given `jax.random.key(seed)`; the order of rows and dropout use
      keys folded from it.
    - `hyperparams`: numbers for `tx(**hyperparams)`, as data: all values share one program.
    - `budget`: with `tx=None`, the recipe chooses the optimizer and its rate and trains the model,
      all for so many runs' worth of gradients, >= 0.5: see `lo.recipe.run`.
    - `params`: parameters to start from.
    - `apply`: how the model is called, where the default does not fit (`Problem.from_linen`, ...).
    - `metrics`: names ("accuracy", or a loss), or `{"name": function}`, for held-out data.
    - `sample_weight`: one number >= 0 per row of `data`.
    - `evaluations`: how many times held-out data are evaluated, evenly spaced, or at which steps.
    - `keep`: "best": the parameters, or their average, with the lowest held-out loss of all looks;
      "last": those of the last step; "average": their average at the last step, where `tx` keeps
      one. By default the best where there are held-out data.
    - `average`: True, or `average_iterates(eta)`: the weights are averaged while they are trained.
      At every look the average is evaluated beside them, with BatchNorm's statistics estimated
      anew for it (not from an iterable of batches: they are gone); with `keep="last"` it is what
      is kept. An average in `tx` is evaluated too.
    - `accumulate`: so many batches make one update, as one batch of all their rows would.
    - `dtype`: what the model computes in, as jnp.bfloat16: parameters and x are cast to it, forward
      and backward. What is trained, its gradients, the optimizer, BatchNorm's statistics, y and the
      loss stay as they are.
    - `callbacks`: functions of a record, called at every look; one that returns True ends the run.
    - `hooks`: functions of a `Event`, called once a chunk.
    - `mesh`: devices that share every batch; by default those over which the data lie.
    - `progress`: None shows the run on a terminal, in a notebook, or as lines, and nothing under
      CI; True shows it there too; False shows nothing.
    - `log`: a function of (step, {"loss": ...}), a path ending in `.jsonl`, or a folder for
      TensorBoard.
    - `checkpoint`: a folder into which the run is saved on the way, and from which it goes on,
      bitwise, when it was killed. A finished run returns its result.
    - `strict`: refuse a checkpoint that does not fit whole. By default what fits by name is
      restored, after a change of the optimizer say, and a table tells the rest.

    **Raises** `ValueError` or `TypeError` for what does not fit together, and `NonFiniteError` when
    the loss is no longer a number. After the running chunk, a quarter of a second, and a save, if
    there is a folder for it: `SystemExit(143)` for SIGTERM, `KeyboardInterrupt` for Ctrl-C; a
    second Ctrl-C leaves at once.

    **Warns** of held-out rows that are trained on, a schedule of another length than the run, an
    optimizer of Optax that climbs, and a loss that is a sum over the batch.

    ```python
    >>> import flax.linen as nn, jax.numpy as jnp, lecture_optax as lo
    >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
    >>> result = lo.fit(nn.Dense(1), (x, 3 * x), loss="mse", tx=lo.sgd(0.3), steps=200)
    >>> print(f"{result.params['kernel'].item():.3f}")
    3.000

    ```
    """
    check_optimizer_arguments(tx, hyperparams, budget)
    check_seed(seed)
    check_functions(callbacks, hooks, apply)
    check_mesh(mesh)
    problem = problem_of(
        model,
        data,
        loss=loss,
        valid=valid,
        params=params,
        apply=apply,
        metrics=metrics,
        dtype=dtype,
    )
    check_kept(keep, problem.valid)
    stream = None
    if is_stream(problem.train):
        validate.steps(of="batches", accumulate=accumulate)
        stream = Stream(problem.train, int(accumulate))
        beside = {"epochs": epochs, "batch_size": batch_size, "sample_weight": sample_weight}
        check_beside_a_stream(stream, steps, checkpoint, **beside)
        problem = replace(problem, train=stream.first)
    check_rows(problem.train, problem.valid, sample_weight, pairs=problem.kind != "functions")
    batch_size = stream.batch_size if stream else batch_size
    rows = jax.tree.leaves(problem.train)[0].shape[0]
    size = _batch_size(batch_size, accumulate, rows)
    total = _steps(steps, epochs, rows, size * int(accumulate))
    if budget is not None:
        beside = {
            "sample_weight": sample_weight is not None,
            "an iterable of batches": stream is not None,
            "accumulate": accumulate != 1,
            "average": average,
            "callbacks": len(callbacks),
            "hooks": len(hooks),
            "mesh": mesh is not None,
            "log": log is not None,
            'keep="last"': keep in ("last", "average"),
        }
        own = {"steps": total, "batch_size": size, "seed": seed, "budget": budget}
        return by_recipe(problem, beside, checkpoint=checkpoint, progress=progress, **own)
    why, cost = "given", 1.0
    if tx is None:
        tx, hyperparams, why, cost = lecture_default(total)
    tx = with_average(tx, hyperparams, average)
    program = Program.of(
        problem,
        tx,
        batch_size=size,
        accumulate=int(accumulate),
        hyperparams=hyperparams,
        mesh=mesh,
    )
    carry = program.init(seed)
    check_targets(problem, carry.params, carry.model_state, size)
    for doubt in doubts(program, carry, total):
        warnings.warn(doubt, UserWarning, stacklevel=2)
    own = (program.problem.train, problem.valid, sample_weight)
    train, held_out, sample_weight = placed(own, program.mesh)
    run = Run(program, carry, total, evaluation_steps(evaluations, total), held_out)
    source = stream or Rows(
        train, sample_weight, slow_in_a_loop(program, run.carry, train, sample_weight)
    )
    saving = {"checkpoint": checkpoint, "seed": seed, "strict": strict}
    with watch(progress) as shown, log_to(log) as written:
        every = [*shown, *written, *hooks]
        go_on_saved(run, source, **saving, callbacks=callbacks, hooks=every)
    keep = keep or ("last" if held_out is None else "best")
    averages = keep == "average" or bool(average)
    return result_of(run, keep, why, cost, settle_by(run, source) if averages else None)


def _batch_size(batch_size: int | None, accumulate: int, rows: int) -> int:
    """The rows of a batch; an update may not need more of them than there are."""
    validate.steps(of="batches", accumulate=accumulate)
    if batch_size is not None:
        validate.steps(of="rows", batch_size=batch_size)
    size = min(64, rows // int(accumulate)) if batch_size is None else int(batch_size)
    if size * accumulate > rows or size == 0:
        raise ValueError(
            f"one update takes batch_size * accumulate rows, {size} * {accumulate}, of {rows} "
            "that there are: every batch is full and holds no row twice. Take a smaller batch_size."
        )
    return size


def _steps(steps: int | None, epochs: int | None, rows: int, batch: int) -> int:
    if (steps is None) == (epochs is None):
        raise ValueError(
            f"give either steps or epochs, got steps={steps!r} and epochs={epochs!r}: how long a "
            "run should be is yours to say."
        )
    if steps is not None:
        validate.steps(steps=steps)
        return int(steps)
    validate.positive(epochs=epochs)
    return max(1, -int(-epochs * rows // batch))  # type: ignore[operator]


def by_recipe(problem: "Problem", beside: dict[str, Any], **options: Any) -> "Result":
    """Let the recipe choose and train, within a budget. It lies above training: loaded by name.

    `beside`: what the person gave that a search has no use for; each is None, 0 or empty if not.
    """
    given = [name for name, value in beside.items() if value]
    if given:
        raise ValueError(
            f"budget lets the recipe choose and train, which takes no {', '.join(given)}: leave "
            "them out; or choose first, by lo.recipe.run, and pass its optimizer as tx."
        )
    from .recipe.run import fitted

    return fitted(problem, **options)
