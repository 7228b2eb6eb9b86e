"""`lo.fit`: train a model in one call."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optax
from jax.sharding import Mesh

from ._core import validate
from ._core.keywords import explain_calls
from ._core.types import DTypeLike
from .training._trees import is_stream
from .training.checkpoint.saver import run_with_checkpoints
from .training.checks.arguments import (
    SYNONYMS,
    check_beside_a_stream,
    check_functions,
    check_keep,
    check_mesh,
    check_metrics,
    check_optimizer_arguments,
    check_resumable,
)
from .training.compiled.settings import run_settings
from .training.loop.batch_statistics import batch_statistics_for
from .training.loop.evaluation import evaluation_steps, evaluations_in_words
from .training.loop.loop import interval_of
from .training.loop.run import Callback, History, Hook, Run
from .training.loop.sources import IterableSource, batches_of
from .training.losses import Loss, Metrics
from .training.optimizer import Optimizer
from .training.preparation import prepare
from .training.problem import as_problem
from .training.reporting.log import Write, log_to
from .training.reporting.progress import show_progress
from .training.result import Result, result_of


@explain_calls(
    'lo.fit(model, (x, y), loss="mse", valid=(x_valid, y_valid), tx=lo.adam(1e-3), steps=1000)',
    SYNONYMS,
)
@run_settings()
def fit(
    model: Any,
    data: Any = None,
    *,
    loss: Loss | None = None,
    valid: Any = None,
    tx: Optimizer | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    hyperparams: Mapping[str, Any] | None = None,
    budget: float | None = None,
    folds: int | None = None,
    executor: Any = None,
    params: Any = None,
    apply: Callable[..., Any] | None = None,
    metrics: Metrics | None = None,
    sample_weight: Any = None,
    evaluations: int | Sequence[int] | None = None,
    keep: str | None = None,
    average: bool | optax.GradientTransformation | None = None,
    accumulate: int = 1,
    dtype: DTypeLike | None = None,
    callbacks: Sequence[Callback] = (),
    hooks: Sequence[Hook] = (),
    mesh: Mesh | None = None,
    progress: bool | None = None,
    log: Write | str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    strict: bool = False,
    backup: bool | None = None,
) -> Result:
    """Train a model and return it with its history.

    Steps run on the device in compiled chunks. The order of the examples is a pure function of
    `seed` and the step, and every batch is full. A linen or Equinox model is not changed: the
    result has a new one. An nnx model is updated at the end, and not at all if the run fails.

    **Arguments: the model and its data**

    - `model`: a Flax linen module, a Flax nnx model, an Equinox module (or the pair of module and
      state), or a `training.Problem`, which has its own data and loss.
    - `data`: (x, y), two trees of arrays with the examples along the first axis; or, for data that
      do not fit into memory, an iterable of such batches of one shape: a data loader, a Grain
      dataset, a list, or a generator; or a function of `seed` that returns one. A search needs an
      iterable that gives the same batches each time, so no generator. Tables (pandas, Polars),
      tensors of PyTorch, sparse matrices and lists of numbers are converted to arrays.
    - `loss`: "cross_entropy", "mse", "mae", "huber", "binary_cross_entropy", or a function of
      (prediction, target) that returns one number per example.
    - `valid`: the validation set, (x, y), or an iterable of batches, which is read into memory: it
      must end, as `itertools.islice(batches, 20)`, and have at most 4 GiB.
    - `params`: the initial parameters.
    - `apply`: a function that calls the model, if the default does not fit (`Problem.from_linen`).
    - `sample_weight`: one number >= 0 per example of `data`.

    **Arguments: the length of the run**

    - `steps`, or `epochs`: the length of the run, >= 1. An epoch has examples / batch_size steps,
      rounded up.
    - `batch_size`: the number of examples of a batch, min(64, examples) by default.

    **Arguments: the optimizer**

    - `tx`: a gradient transformation, or with `hyperparams` a function that builds one. None takes
      the default: Adam with averaged weights (`average`) at a constant learning rate, 1e-2 for up
      to 10,000 parameters and 1e-2 (10,000 / parameters)^(1/3) for more. Another version may change
      it; `result.optimizer_source` names it.
      Schedule-free methods are evaluated, and their weights returned, at
      `optax.contrib.schedule_free_eval_params`; a checkpoint keeps those of the training.
    - `hyperparams`: `{"learning_rate": 1e-3, ...}`, the arguments of `tx`. They are data: all
      values share one compiled program.
    - `accumulate`: the number of batches of one update, which equals that of one large batch.

    **Arguments: a search for the optimizer**

    - `budget`: with `tx=None`, search for the optimizer and the learning rate and train the model,
      with at most the gradients of so many training runs, >= 0.5. Below 3, the optimizer is Adam:
      see `lo.recipe.run`.
    - `folds`: how many folds the search cross-validates with, if there are few examples: see
      `lo.recipe.run`.
    - `executor`: where the arms of a search run: "devices", or a Ray cluster by
      `lo.recipe.RayExecutor()`. The result has the same bits.

    **Arguments: evaluations and the returned weights**

    - `metrics`: names ("accuracy", or a loss) and functions, or `{"name": function}`, for the
      validation set; a search evaluates them for the returned weights alone. Functions of
      sklearn.metrics receive all predictions at once, as classes or as probabilities; see
      `Problem.from_linen` for your own.
    - `evaluations`: how many times the validation set is evaluated, evenly spaced, or a list of the
      steps after which it is. By default 20 times.
    - `keep`: which weights to return. "best": those with the lowest validation loss of all
      evaluations, averaged or not; "last": those of the last step; "average": their average at the
      last step. The default is "best" with a validation set, and "last" without.
    - `average`: True, or `average_iterates(eta)`: average the weights during training. Every
      evaluation includes the average, with BatchNorm statistics estimated for it (not for an
      iterable, whose batches are gone); `keep="last"` then returns the average. An average in `tx`
      is evaluated too. None is True with the default optimizer, and False with `tx`.

    **Arguments: stopping, saving and logging**

    - `callbacks`: functions of a record, called after every evaluation; one that returns True ends
      the run.
    - `hooks`: functions of a `training.Event`, called after every chunk of steps. After a search,
      callbacks, hooks and the log see the selected run: see `lo.recipe.run`.
    - `progress`: None shows progress on a terminal, in a notebook, or as lines, and nothing under
      CI; True shows it there too; False shows nothing.
    - `log`: a function of (step, {"loss": ...}), a path that ends in `.jsonl`, or a folder for
      TensorBoard.
    - `checkpoint`: a new or empty folder, or that of this run. If it holds a checkpoint, training
      resumes with bit-identical results; a finished run returns its result, and with more `steps`
      it continues. The run is its data, its functions (model, `apply`, `loss`, `metrics`,
      initializers), `seed`, `batch_size`, `accumulate`, `dtype`, `params`, `sample_weight`,
      `average`, `keep` and `evaluations`: another one is refused. Functions are compared as JAX
      traces them, so names and comments do not matter. The optimizer, `hyperparams`, `callbacks`,
      `hooks`, `mesh`, `progress` and `log` may change; a warning tells the current learning rate of
      another optimizer.
    - `strict`: raise if the state of another optimizer does not match exactly. By default, arrays
      that match by name and shape are restored; a table lists the others.
    - `backup`: whether to keep a copy, a few seconds old, of the parameters, the model's state and
      the optimizer's state, which takes as much memory as these three. A run returns to it if a
      value becomes NaN or infinite. None keeps one where it takes at most half of a device's free
      memory, or where that is not known, as on a CPU. Without one, a run returns to its last
      checkpoint, or its error says that nothing could be restored. A search keeps none.

    **Arguments: devices and numbers**

    - `seed`: a whole number >= 0. The model's `init` receives `jax.random.key(seed)`; the order of
      the examples and dropout use keys folded from it.
    - `mesh`: the devices that share every batch, also in a search; by default those of
      `jax.set_mesh`, or those on which the data are. Without a search it may have those of several
      processes (`jax.distributed`), which all make the same call with the same data: the first one
      writes the checkpoints, the log and progress.
    - `dtype`: the dtype in which the model computes, such as jnp.bfloat16: parameters and x are
      cast to it. The trained parameters, gradients, optimizer, BatchNorm statistics, y and loss
      keep their own dtype.

    **Raises** `ValueError` or `TypeError` for arguments that do not fit, and `NonFiniteError` if
    the loss becomes NaN or infinite. SIGTERM raises `SystemExit(143)` and Ctrl-C
    `KeyboardInterrupt`, after the current chunk (a quarter of a second) and a checkpoint, if there
    is a directory for it; a second Ctrl-C stops at once.

    **Warns** of validation examples that are trained on, a schedule of another length than the run,
    an optimizer that climbs or has no effect on values that are not finite, a loss that is a sum
    over the batch, and a gradient of which float16 loses a tenth.

    ```python
    >>> import flax.linen as nn, jax.numpy as jnp, lecture_optax as lo
    >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
    >>> result = lo.fit(nn.Dense(1), (x, 3 * x), loss="mse", tx=lo.sgd(0.3), steps=200)
    >>> print(f"{result.params['kernel'].item():.3f}")
    3.000

    ```
    """
    check_optimizer_arguments(tx, hyperparams, budget, folds=folds, executor=executor)
    validate.switch(strict=strict)
    validate.switch(or_none=True, backup=backup)
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
    if budget is None:
        check_keep(keep, problem.valid)
        check_metrics(metrics, problem.valid)
    if budget is not None:
        from .recipe.result import problem_as_code
        from .recipe.run import fit_by_search

        own = {"loss": loss, "valid": valid, "params": params, "apply": apply, "dtype": dtype}
        return fit_by_search(
            problem,
            problem_as_code(model, **own, metrics=metrics),
            metrics,
            steps=steps,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            budget=budget,
            folds=folds,
            executor=executor,
            sample_weight=sample_weight,
            evaluations=evaluations,
            keep=keep,
            average=average,
            accumulate=accumulate,
            callbacks=callbacks,
            hooks=hooks,
            log=log,
            mesh=mesh,
            checkpoint=checkpoint,
            progress=progress,
        )
    stream = None
    if is_stream(problem.train):
        given = {"epochs": epochs, "batch_size": batch_size, "sample_weight": sample_weight}
        stream = IterableSource(batches_of(problem.train, seed, accumulate), int(accumulate))
        check_beside_a_stream(steps, **given)
        check_resumable(stream, checkpoint)
        problem, batch_size = replace(problem, train=stream.first), stream.batch_size
    average = tx is None if average is None else average
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
        measures=True,
    )
    run = Run(
        prepared.program,
        prepared.carry,
        prepared.steps,
        evaluation_steps(20 if evaluations is None else evaluations, prepared.steps),
        prepared.valid,
        History(interval=interval_of(prepared.carry.params)),
        backup=backup if backup is None else bool(backup),
    )
    keep = keep or ("last" if run.valid is None else "best")
    processes = prepared.program.processes
    with (
        processes.together(),
        show_progress(progress if processes.is_first else False) as shown,
        log_to(log if processes.is_first else None) as written,
    ):
        run_with_checkpoints(
            run,
            prepared.source,
            checkpoint=checkpoint,
            seed=seed,
            given={"keep": keep, "evaluations": evaluations_in_words(run.evaluations)},
            strict=strict,
            callbacks=callbacks,
            hooks=[shown, *written, *hooks],
        )
    settle, source = batch_statistics_for(run, prepared.source), prepared.optimizer_source
    return result_of(run, keep, source, 1.0, settle, is_averaged=bool(average))
