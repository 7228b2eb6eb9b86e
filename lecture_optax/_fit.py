"""One call: a model and data in, a trained model and its history out."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jax.sharding import Mesh

from ._core import validate
from ._core.keywords import explain_calls
from ._core.validate import in_words
from .training._trees import is_stream
from .training.checkpoint.saver import run_with_checkpoints
from .training.checks.arguments import (
    SYNONYMS,
    check_beside_a_stream,
    check_functions,
    check_kept,
    check_mesh,
    check_optimizer_arguments,
)
from .training.loop.batch_statistics import batch_statistics_for
from .training.loop.evaluation import evaluation_steps
from .training.loop.run import Callback, Hook, Run
from .training.loop.sources import IterableSource
from .training.preparation import prepare, size_and_steps
from .training.problem import Problem, as_problem
from .training.reporting.log import Write, log_to
from .training.reporting.progress import show_progress
from .training.result import Result, result_of


@explain_calls(
    'lo.fit(model, (x, y), loss="mse", valid=(x_valid, y_valid), tx=lo.adam(1e-3), steps=1000)',
    SYNONYMS,
)
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
    check_functions(callbacks, hooks, apply)
    check_mesh(mesh)
    problem = as_problem(
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
        stream = IterableSource(problem.train, int(accumulate))
        check_beside_a_stream(
            stream,
            steps,
            checkpoint,
            epochs=epochs,
            batch_size=batch_size,
            sample_weight=sample_weight,
        )
        problem, batch_size = replace(problem, train=stream.first), stream.batch_size
    if budget is not None:
        return _fit_by_search(
            problem,
            size_and_steps(problem, steps, epochs, batch_size, accumulate, sample_weight)[1],
            batch_size,
            seed,
            budget,
            checkpoint,
            progress,
            {
                "sample_weight": sample_weight is not None,
                "an iterable of batches": stream is not None,
                "accumulate": accumulate != 1,
                "average": average,
                "callbacks": len(callbacks),
                "hooks": len(hooks),
                "mesh": mesh is not None,
                "log": log is not None,
                'keep="last"': keep in ("last", "average"),
            },
        )
    prepared = prepare(
        problem,
        tx,
        steps=steps,
        epochs=epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        seed=seed,
        hyperparams=hyperparams,
        average=average,
        sample_weight=sample_weight,
        mesh=mesh,
        stream=stream,
    )
    run = Run(
        prepared.program,
        prepared.carry,
        prepared.steps,
        evaluation_steps(evaluations, prepared.steps),
        prepared.valid,
    )
    with show_progress(progress) as shown, log_to(log) as written:
        run_with_checkpoints(
            run,
            prepared.source,
            checkpoint=checkpoint,
            seed=seed,
            strict=strict,
            callbacks=callbacks,
            hooks=[shown, *written, *hooks],
        )
    keep = keep or ("last" if run.valid is None else "best")
    needs_average = keep == "average" or bool(average)
    settle = batch_statistics_for(run, prepared.source) if needs_average else None
    return result_of(run, keep, prepared.optimizer_source, prepared.cost, settle)


def _fit_by_search(
    problem: Problem,
    steps: int,
    batch_size: int | None,
    seed: int,
    budget: float,
    checkpoint: str | os.PathLike[str] | None,
    progress: bool | None,
    given: Mapping[str, Any],
) -> Result:
    """Select the optimizer by `recipe.run`, which trains the model too.

    `given`: the arguments that a search does not take; each is false where it was left out.
    """
    if beside := [name for name, is_given in given.items() if is_given]:
        raise ValueError(
            "budget lets the recipe select the optimizer and train the model, which takes no "
            f"{in_words(beside)}. Leave {'it' if len(beside) == 1 else 'them'} out; or search "
            "first, by lo.recipe.run, and pass its optimizer as tx."
        )
    from .recipe.run import fit_by_search

    return fit_by_search(
        problem,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        budget=budget,
        checkpoint=checkpoint,
        progress=progress,
    )
