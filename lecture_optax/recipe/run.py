"""`recipe.run`: a search from its arguments to its result, and `lo.fit` with a budget."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import optax
from jax.sharding import Mesh

from .._core import validate
from .._core.dtypes import dtype_of
from .._core.extras import warn
from .._core.keywords import explain_calls
from ..schedules import wsd
from ..training._trees import is_stream, n_rows
from ..training.adapters import nnx
from ..training.checkpoint.folder import path_of
from ..training.checkpoint.signals import Interruptions
from ..training.checks.arguments import (
    SEARCH_SYNONYMS,
    check_beside_a_stream,
    check_functions,
    check_search_of_a_stream,
)
from ..training.compiled.memory import in_bytes
from ..training.compiled.settings import for_the_caller, run_settings
from ..training.conversion.arrays import as_arrays
from ..training.loop.evaluation import evaluation_steps
from ..training.loop.run import Callback, Hook
from ..training.loop.sources import ArraySource, batches_of
from ..training.loop.streams import SharedStream
from ..training.preparation import Prepared, prepare, size_and_steps
from ..training.problem import Problem, as_problem
from ..training.reporting.log import Write, log_to
from ..training.result import Predictor, Result as FitResult
from . import constants as c
from .execution.devices import check_devices, executor_of
from .execution.executor import InThisProcess
from .population.arms import (
    OPTIMIZERS,
    Arm,
    OptimizerFactory,
    arm_members,
    arm_optimizer,
    gain_of,
    standalone_optimizer,
)
from .population.folds import Folds, joined
from .population.held_out import (
    HeldOut,
    held_out_rows,
    plan_evaluations,
    split_problem,
    weighted_first,
)
from .population.memory import committed, memory_of, to_device
from .population.population import Population
from .population.worker import SearchWorker
from .replay import replay
from .reporting.explanation import explanation_of
from .result import Result, fit_result_of, problem_as_code, reproduction_code
from .search.folds import check_folds, plan_folds
from .search.keep import Keep
from .search.runner import Runner
from .search.select import Selection, refit_of, select_weights
from .session import Session, saver_of


@explain_calls('lo.recipe.run(model, (x, y), "mse", steps=1000, budget=3)', SEARCH_SYNONYMS)
@run_settings()
def run(
    problem: Any,
    data: Any = None,
    loss: Any = None,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    budget: float = 3.0,
    valid: Any = None,
    folds: int | None = None,
    optimizers: Mapping[str, OptimizerFactory] | None = None,
    wrap: Any = None,
    sample_weight: Any = None,
    evaluations: int | Sequence[int] | None = None,
    keep: str | None = None,
    average: bool | optax.GradientTransformation | None = None,
    accumulate: int = 1,
    callbacks: Sequence[Callback] = (),
    hooks: Sequence[Hook] = (),
    log: Write | str | os.PathLike[str] | None = None,
    lanes: int | None = None,
    executor: Any = None,
    mesh: Mesh | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    on_interrupt: str = "raise",
    progress: Any = None,
) -> Result:
    """Find an optimizer and its learning rate, and train the model in the same search.

    Arms, that is optimizers with learning rates, train on the same minibatches. Short runs at
    several learning rates predict which one will be the best at the end. It runs to the end, and
    others beside it as the budget allows; those that are behind are stopped. Arms are compared by
    the validation loss of an average of their weights, and the weights with the lowest validation
    loss are returned.

    **Arguments: the model and its data**

    - `problem`: a `training.Problem`, or a model with `data` and `loss` as in `lo.fit`. If the data
      are a stream, each arm reads it, so it must give the same batches each time: a function of
      the seed that returns an iterator, a list of batches, a Grain dataset, or an object whose
      `__iter__` starts again. It needs `valid` and has no `folds`.
    - `valid`: the validation set, as in `lo.fit`. By default a fifth of the training examples is
      held out.
    - `sample_weight`: one number >= 0 per example of the training data. The validation loss is not
      weighted, as in `lo.fit`; examples of weight 0 are not held out. With `folds`, the examples
      of a `valid` that you pass are trained on with weight 1.

    **Arguments: the length of a run**

    - `steps`, or `epochs`: the length of a complete training run, >= 1, as in `lo.fit`.
    - `batch_size`: the examples of a minibatch; by default 64, or all if there are fewer.

    **Arguments: the search**

    - `budget`: the cost of the whole search, as a number of complete training runs, >= 0.5. With
      `budget=3` it computes at most `3 * steps` gradients. The trained model is one of its
      arms and costs nothing more. Below about 1.3 every arm stops before its last step; below 3
      only the first optimizer is tried. Evaluations are not counted, and with `accumulate` the
      gradient of an update is counted once.
    - `optimizers`: `{"name": learning_rate -> optimizer}`. The first is tried at every budget, the
      others from a budget of 3. By default Adam, and SGD + Nesterov with momentum 0.9.
    - `wrap`: `optimizer -> optimizer`, applied to each of them, as
      `lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx)`.
    - `folds`: cross-validate the last arms with so many folds of the training and validation
      examples, and return the selected one trained on all of them. A fold costs two runs, the last
      training one, and the search before at least one. By default as many folds as the budget pays
      for if the search held out less than 200 validation examples itself, and none otherwise: a
      `valid` that you pass is trained on only if you pass `folds`. 0 takes none.
    - `accumulate`: the number of batches of one update, which equals that of one large batch.

    **Arguments: evaluations and the returned weights**

    - `evaluations`: how many times every arm is evaluated beside the evaluations that the search
      plans, evenly spaced over a run, or a list of the steps. By default no more times.
    - `keep`: which weights to return. "best", the default: those with the lowest validation loss
      of all evaluations, averaged or not. "last": the average at the last step, of the arms that
      ran furthest that with the lowest validation loss; the weights of the last step with
      `average=False`. "average": the average at the last step.
    - `average`: `average_iterates(eta)` replaces the average of the arms, `average_iterates(8.0)`;
      True is the same as None. False returns raw weights: arms are still compared by averages.

    **Arguments: stopping, saving and logging**

    - `callbacks`, `hooks`, `log`: as in `lo.fit`, for the selected run. It is known at the end of
      the search and then replayed: an event at every evaluation, with the training losses as means
      over blocks of steps and the weights that are returned. A callback that returns True ends the
      replay.
    - `progress`: None shows progress on a terminal, in a notebook or as lines, and nothing in CI;
      True shows it in CI too; False shows nothing.
    - `checkpoint`: a new folder, in which the search is saved. If it holds a save of this search,
      the search resumes with bit-identical results; a finished search returns its result at once.
    - `on_interrupt`: what Ctrl-C does. "raise" ends the search with `KeyboardInterrupt`; "return"
      ends it and returns the best weights so far. A second Ctrl-C ends at once.

    **Arguments: devices and numbers**

    - `seed`: the seed of the initial parameters, of the order of the examples and of dropout.
    - `executor`: where the arms run. By default one after the other in this process; "devices"
      runs those that do not depend on each other side by side on all local devices,
      `RayExecutor()` on the machines of a Ray cluster. The result has the same bits, and costs the
      same gradients.
    - `lanes`: the number of arms vectorized in one program, >= 1. None takes 1 on a CPU, and on an
      accelerator 4 if a short measurement says that they are faster. The bits depend on it.
    - `mesh`: the devices that share every batch, and the parameters if those that you pass are
      divided among them. Arms run one after the other, each on all of them. By default those of
      `jax.set_mesh`, or those on which the data or the parameters are.

    A search holds about twenty copies of the parameters and the optimizer state. If the devices
    have no memory for them, all but the running arm wait in the memory of the host, and the
    devices hold three copies. The report of a large model says how much that is; a warning tells
    of a device that has less.

    **Raises** `TypeError` or `ValueError` for an argument outside its range, or a `checkpoint` that
    is of another search or holds other files; `FloatingPointError` if the validation loss at the
    start is not finite; `SystemExit(143)` after SIGTERM and `KeyboardInterrupt` after Ctrl-C. These
    wait for the running chunk of steps, a quarter of a second, and for a save if there is a
    `checkpoint`.

    Source: the lecture, slide "The recipe"; `lecture_optax/recipe/search/policy.py`.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
    >>> problem = lo.training.Problem.from_functions(
    ...     init=lambda key: jnp.zeros(1),
    ...     loss=lambda θ, batch: (batch["x"] @ θ - batch["y"]) ** 2,
    ...     train={"x": x, "y": 3 * x[:, 0]},
    ... )
    >>> result = lo.recipe.run(problem, steps=100, batch_size=8)
    >>> f"{result.params[0]:.2f}", result.cost <= 3
    ('3.00', True)

    ```
    """
    given = as_problem(nnx.detached(problem), data, loss=loss, valid=valid)
    return _run(
        given,
        problem_as_code(problem, loss=loss, valid=valid),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        budget=budget,
        folds=folds,
        optimizers=optimizers,
        wrap=wrap,
        epochs=epochs,
        sample_weight=sample_weight,
        evaluations=evaluations,
        keep=keep,
        average=average,
        accumulate=accumulate,
        callbacks=callbacks,
        hooks=hooks,
        log=log,
        lanes=lanes,
        executor=executor,
        mesh=mesh,
        checkpoint=checkpoint,
        on_interrupt=on_interrupt,
        progress=progress,
    )


def _run(
    given: Problem,
    call: str,
    *,
    callbacks: Sequence[Callback],
    hooks: Sequence[Hook],
    log: Any,
    **options: Any,
) -> Result:
    """Search, as `run` says; `call` is the problem as code."""
    check_functions(callbacks, hooks)
    with log_to(log) as written:
        prepared, result = _search(given, call, **options)
        stopped = replay(result, prepared, callbacks, [*written, *hooks])
    return result if stopped is None else replace(result, stopped=stopped)


def _search(
    given: Problem,
    call: str,
    *,
    steps: int | None,
    epochs: int | None,
    batch_size: int | None,
    seed: int,
    budget: float,
    folds: int | None,
    sample_weight: Any,
    evaluations: int | Sequence[int] | None,
    keep: str | None,
    average: Any,
    accumulate: int,
    checkpoint: str | os.PathLike[str] | None,
    progress: Any,
    optimizers: Mapping[str, OptimizerFactory] | None = None,
    wrap: Any = None,
    lanes: int | None = None,
    executor: Any = None,
    mesh: Mesh | None = None,
    on_interrupt: str = "raise",
) -> tuple[Prepared, Result]:
    """Return a search and what it has prepared."""
    validate.at_least(0.5, budget=budget)
    check_folds(folds)
    validate.one_of("raise", "return", on_interrupt=on_interrupt)
    chosen = executor_of(executor)
    if lanes is not None:
        validate.steps(of="arms", lanes=lanes)
    if checkpoint is not None:
        path_of(checkpoint)
    kept = Keep.of(keep, average)
    stream = None
    if is_stream(given.train):
        check_search_of_a_stream(given.valid, folds)
        own_batches = batches_of(given.train, seed, accumulate)
        stream = SharedStream(own_batches, int(accumulate))
        beside = {"batch_size": batch_size, "sample_weight": sample_weight}
        check_beside_a_stream(steps, epochs=epochs, **beside)
        given, batch_size = replace(given, train=stream.first), stream.batch_size
        call = call.replace("(x, y)", "data", 1)
    sample_weight = as_arrays(sample_weight, "sample_weight")
    steps = size_and_steps(given, steps, epochs, batch_size, accumulate, sample_weight)[1]
    held_out_from_train = given.valid is None
    tried = OPTIMIZERS if optimizers is None else optimizers
    with Interruptions() as interruptions:
        prepared = prepare(
            given,
            arm_optimizer(optimizers, wrap, average),
            steps=steps,
            batch_size=batch_size,
            accumulate=accumulate,
            seed=seed,
            hyperparams=Arm(0, 0).hyperparams(steps),
            sample_weight=sample_weight,
            mesh=mesh,
            stream=stream,
            split=lambda problem, weights: split_problem(problem, weights, seed),
            measures=True,
            arms=arm_members(optimizers, wrap, steps),
        )
        check_devices(executor, prepared.program)
        is_split = held_out_from_train and n_rows(given.train) > 1
        own = held_out_rows(n_rows(given.train), seed, sample_weight) if is_split else None
        runner = _runner(prepared, budget, tried, folds, kept, evaluations, own, sample_weight)
        runner.lanes = lanes
        saver = saver_of(runner, tried, wrap, average, seed, checkpoint)
        with Session(runner, saver, interruptions, returns=on_interrupt == "return") as session:
            runner.decide_lanes(alone=chosen is not None)
            pools = chosen or InThisProcess(runner.lanes or 1)
            with pools.start(runner.worker, lambda: runner.poll()) as runner.pool:
                ended = session.run(progress)
                selection = select_weights(runner, kept)._replace(refit=refit_of(runner))
                session.obey()  # to a signal that arrived in the last measurement, or since
                why = explanation_of(runner, selection, list(tried), held_out_from_train, ended)
    yours = {"optimizers": optimizers, "wrap": wrap, "sample_weight": sample_weight}
    yours["average"] = None if isinstance(average, bool) else average
    own = [name for name, x in yours.items() if x is not None]
    size = None if stream else prepared.program.batch_size
    code = reproduction_code(why, call, size, seed, own, prepared.program.accumulate)
    problem = prepared.problem
    return prepared, _result(runner, problem, selection, why, code, tried, wrap, average)


def _runner(
    prepared: Prepared,
    budget: float,
    optimizers: Mapping[str, OptimizerFactory],
    asked: int | None,
    keep: Keep,
    evaluations: int | Sequence[int] | None,
    held_out: tuple[np.ndarray, np.ndarray] | None,
    sample_weight: Any,
) -> Runner:
    """Return the search.

    - `held_out`: the rows of the split, if the search made it; `sample_weight`: of all examples
      before it.
    """
    program, start, steps = prepared.program, prepared.carry, prepared.steps
    limit = max(1, math.floor(budget * steps + 1e-6))
    source = cast(ArraySource | SharedStream, prepared.source)
    rows, size = n_rows(prepared.valid), program.batch_size * program.accumulate
    examples = prepared.problem.functions.examples
    is_few = held_out is not None and rows < c.FEW_ROWS
    weights = None if sample_weight is None else _weights_of_all(sample_weight, held_out, rows)
    all_rows = rows + n_rows(prepared.problem.train)
    _, counted = weighted_first(np.arange(all_rows), weights)
    folds = plan_folds(asked, is_few, counted, size, steps, limit, keep)
    memory = memory_of(start, (source.data, prepared.valid), folds.count if folds else 0)
    if not memory.fits:
        warn(
            f"{memory.sentence} The fullest device has {in_bytes(memory.free)}. Divide the "
            "parameters among several devices (mesh=), or make the model smaller."
        )
    offload = memory.waiting > 0
    start = committed(start) if offload else start
    population = Population(program, source, start, steps, offload=offload)
    if folds is not None:
        every = joined(source.data, prepared.valid, held_out)
        of_start = start.params, start.model_state
        population.folds = Folds(every, weights, folds.count, examples, *of_start)
    plan = plan_evaluations(rows, steps, size, folds.limit / steps if folds else budget)
    if evaluations is not None:
        plan = plan._replace(own=evaluation_steps(evaluations, steps))
    valid = HeldOut(examples, prepared.valid, plan, start.params, start.model_state)
    if not np.isfinite(valid.start["all"]):
        raise FloatingPointError(
            f"the validation loss is {valid.start['all']} before the first step: check the data "
            "and the initial parameters for NaN, and the loss for log, sqrt or division at 0."
        )
    gains = [gain_of(optimizer) for optimizer in optimizers.values()]
    return Runner(SearchWorker(population, valid), budget, limit, gains, folds, memory=memory)


def _weights_of_all(sample_weight: Any, held_out: Any, rows: int) -> Any:
    """Return the weights of training and validation examples; 1 for a validation set of yours."""
    if held_out is not None:
        return sample_weight
    own = np.ones((rows, *np.shape(sample_weight)[1:]), dtype_of(sample_weight))
    return joined(sample_weight, own)


def _result(
    runner: Runner,
    problem: Problem,
    selection: Selection,
    why: Any,
    code: str,
    optimizers: Mapping[str, OptimizerFactory],
    wrap: Any,
    average: Any,
) -> Result:
    population = runner.population
    found = selection.refit.candidate if selection.refit else selection.candidate
    first = population.start.params, population.start.model_state
    weights, arm = (found.weights, found.arm) if found else (first, Arm(0, -12))
    optimizer, rate = list(optimizers.values())[arm.optimizer], arm.rate
    if arm.decay is not None:
        start, end = arm.decay
        rate = wsd(rate, decay_start=start, decay_steps=end - start)
    params, model_state = for_the_caller(to_device(weights, first))
    return Result(
        export=problem.export,
        params=params,
        model_state=model_state,
        optimizer=standalone_optimizer(optimizer, wrap, rate, average),
        code=code,
        cost=runner.spent / population.steps,
        gradients=runner.spent,
        history={arm: member.curve for arm, member in runner.members.items()},
        selection=selection,
        explanation=why,
        predictor=problem.functions.predict and Predictor(problem),
        problem=problem,
    )


def fit_by_search(problem: Problem, call: str, metrics: Any, **options: Any) -> FitResult:
    """Run a search and return it as the result of a fit; `call` is the problem as code.

    **Warns** of `metrics` if no validation example is left to evaluate them.
    """
    result = _run(nnx.detached(problem), call, **options)
    if metrics is not None and result.explanation.cross_validation is not None:
        warn(
            f"metrics={metrics!r} are not evaluated, as folds are used and the returned weights "
            "were trained on all examples: evaluate them on other data, or give folds=0."
        )
    return fit_result_of(result)
