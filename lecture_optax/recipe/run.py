"""One call: a problem in; the optimizer, its rate, the trained model and the reasons out."""

import math
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from .._core import validate
from ..schedules import wsd
from ..training._trees import n_rows
from ..training.adapters import nnx as _nnx
from ..training.loop.batch_statistics import settled
from ..training.loop.run import History
from ..training.preparation import Prepared, prepare
from ..training.problem import Problem, as_problem
from ..training.result import Kept, Result as FitResult
from .population.arms import OPTIMIZERS, Arm, OptimizerFactory, arm_optimizer, plain
from .population.held_out import HeldOut, holdout_split, plan_of
from .population.population import Population, is_tight
from .reporting.explanation import explanation_of
from .reporting.stability import measure_stability
from .result import Result, code_of, problem_as_code
from .search.race import Candidate, Race
from .search.select import Selection, choose
from .session import run_course


def run(
    problem: Any,
    data: Any = None,
    loss: Any = None,
    *,
    steps: int,
    batch_size: int | None = None,
    seed: int = 0,
    budget: float = 3.0,
    valid: Any = None,
    optimizers: Mapping[str, OptimizerFactory] | None = None,
    wrap: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    on_interrupt: str = "raise",
    progress: Any = None,
) -> Result:
    """Find the optimizer and its learning rate, and train the model while doing so.

    Arms at rates a decade apart are run side by side on the same minibatches, continued as long as
    they are good, and ranked by the held-out loss of an average of their weights. The best weights
    that were looked at are handed over.

    **Arguments**

    - `problem`: a `training.Problem`, or a model with `data` = (x, y) and `loss` as in `lo.fit`.
    - `steps`: how long a run is, >= 1.
    - `batch_size`: rows of a batch; min(64, rows) by default.
    - `seed`: of the initial parameters, the order of rows, dropout.
    - `budget`: how many runs' worth of gradients may be spent, everything included, >= 0.5. A hard
      limit. Below 1.2 the leader is stopped early rather than the search.
    - `valid`: held-out (x, y). Without any, a fifth of the training rows is kept back.
    - `optimizers`: `{"name": rate -> optimizer}` in the order in which they are tried; Adam and
      SGD + Nesterov by default.
    - `wrap`: `optimizer -> optimizer`, put around every arm: clipping, say.
    - `checkpoint`: a folder into which the search is saved on the way, and from which it goes on
      when it was killed: the same pick, the same bits, and no step taken twice that was saved. A
      finished search returns its result.
    - `on_interrupt`: what Ctrl-C does. "raise": end with `KeyboardInterrupt`; "return": end the
      search and hand over the best so far, and say so. A second Ctrl-C ends at once.
    - `progress`: None shows the search on a terminal, in a notebook, or as lines, and nothing under
      CI; True shows it there too; False shows nothing.

    About twenty copies of parameters and optimizer state are held at a time; where the device says
    that it has no room for them, all but those of the running arm wait in the memory of the host.

    **Raises** `ValueError` or `TypeError` for an argument out of its range or a `checkpoint` of
    another search, and `FloatingPointError` if the loss is not a number at the start. After the
    running chunk of steps, a quarter of a second, and a save, if there is a folder for it:
    `SystemExit(143)` for SIGTERM, `KeyboardInterrupt` for Ctrl-C.

    Source: the lecture, slide "The recipe"; `lecture_optax/recipe/search.py`.

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
    given = as_problem(_untouched(problem), data, loss=loss, valid=valid)
    validate.steps(steps=steps)
    validate.at_least(0.5, budget=budget)
    validate.one_of("raise", "return", on_interrupt=on_interrupt)
    prepared = prepare(
        given,
        arm_optimizer(optimizers, wrap),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        hyperparams=Arm(0, 0).hyperparams(steps),
        split=lambda problem: holdout_split(problem, seed),
    )
    split, size = prepared.problem, prepared.program.batch_size
    held_out_from_train = given.valid is None
    race = _race(prepared, budget)
    watching = {"checkpoint": checkpoint, "on_interrupt": on_interrupt, "progress": progress}
    ended = run_course(race, optimizers or OPTIMIZERS, wrap, seed=seed, **watching)
    selection = choose(race, _settle_in(race))
    why = explanation_of(
        race,
        selection,
        list(optimizers or OPTIMIZERS),
        size,
        n_rows(race.held_out.all),
        held_out_from_train,
        ended,
    )
    call = problem_as_code(problem, given, loss, valid)
    own = [name for name, x in (("optimizers", optimizers), ("wrap", wrap)) if x is not None]
    code = code_of(selection, call, steps, size, seed, held_out_from_train, own)
    return _result(race, split, selection, why, code, optimizers or OPTIMIZERS, wrap)


def _race(prepared: Prepared, budget: float) -> Race:
    program, carry, steps = prepared.program, prepared.carry, prepared.steps
    limit = max(1, math.floor(budget * steps + 1e-6))
    population = Population(program, prepared.source, carry, steps, limit, tight=is_tight(carry))
    start = population.start
    plan = plan_of(n_rows(prepared.valid), steps, program.batch_size, budget)
    examples = prepared.problem.functions.examples
    held_out = HeldOut(examples, prepared.valid, plan, start.params, start.model_state)
    if not np.isfinite(held_out.start["all"]):
        raise FloatingPointError(
            f"the held-out loss is {held_out.start['all']} before the first step: look for NaN in "
            "the data or the initial parameters, and for log, sqrt or division at 0 in the loss."
        )
    return Race(population, held_out, budget)


def _result(
    race: Race,
    problem: Problem,
    selection: Selection,
    why: Any,
    code: str,
    optimizers: Mapping[str, OptimizerFactory],
    wrap: Any,
) -> Result:
    found, population = selection.candidate, race.population
    start = population.start
    params = found.params if found else start.params
    model_state = found.model_state if found else start.model_state
    arm = found.arm if found else Arm(0, -12)
    optimizer = list(optimizers.values())[arm.optimizer]
    predict = problem.functions.predict
    return Result(
        export=problem.export,
        params=population.on_device(params),
        model_state=population.on_device(model_state),
        optimizer=plain(optimizer, wrap, _rate(arm)),
        code=code,
        cost=population.spent / population.steps,
        gradients=population.spent,
        history={arm: member.curve for arm, member in population.members.items()},
        selection=selection,
        explanation=why,
        predictor=predict and jax.jit(predict),
        measure=measure_stability(population, problem, optimizers, wrap, arm) if found else None,
    )


def _rate(arm: Arm) -> Any:
    if arm.decay is None:
        return arm.rate
    start, end = arm.decay
    return wsd(arm.rate, decay_start=start, decay_steps=end - start)


def _untouched(model: Any) -> Any:
    """The person's nnx model is not the one that is trained."""
    if "flax.nnx" in sys.modules and not isinstance(model, type) and _nnx.is_nnx(model):
        from flax import nnx

        return nnx.clone(model)
    return model


def _settle_in(race: Race) -> Callable[[Candidate], Candidate]:
    """Averaged weights with the statistics that belong to them, as `lo.fit` hands them over."""
    population = race.population

    def settle(found: Candidate) -> Candidate:
        step = jax.numpy.asarray(found.step, jax.numpy.int32)
        carry = population.start._replace(model_state=found.model_state, step=step)
        state = settled(population.program, carry, found.params, population.rows.data)
        return found if state is found.model_state else found._replace(model_state=state)

    return settle


def fitted(problem: Problem, *, steps: int, **options: Any) -> FitResult:
    """A search, as the result of a fit: the winner's looks are its history.

    There is no `opt_state`: the weights that are handed over may be those of an earlier step.
    """
    result = run(problem, steps=steps, **options)
    found = result.selection.candidate
    return FitResult(
        model=result.model,
        params=result.params,
        model_state=result.model_state,
        optimizer=result.optimizer,
        opt_state=None,
        history=History(evaluations=_lines(result)),
        optimizer_source=f"the recipe: {result.explain().splitlines()[0]}",
        cost=result.cost,
        steps=found.step if found else 0,
        kept=Kept(found.step, found.is_average) if found else Kept(0),
        predictor=result.predictor,
        search=result,
    )


def _lines(result: Result) -> list[dict[str, float]]:
    """The looks of the winner, as losses over the rows that were looked at."""
    found, start = result.selection.candidate, result.explanation.subset_start
    evaluations = result.history[found.arm].evaluations if found else []
    late = [evaluation for evaluation in evaluations if not np.isnan(evaluation.raw)]
    return [
        {
            "step": evaluation.step,
            "valid_loss": start + evaluation.raw,
            "averaged_loss": start + evaluation.averaged,
        }
        for evaluation in late
    ]
