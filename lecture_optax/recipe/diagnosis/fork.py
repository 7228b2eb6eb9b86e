"""Continuations of a run at 10, 1 and 0.1 times its learning rate, on the same batches."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optax

from ..._core.current import current
from ..._core.describe import describe
from ..._core.dtypes import scale
from ..._core.types import Transformation
from ...training._cached import cached
from ...training._trees import as_data, copied
from ...training.compiled.program import Program
from ...training.compiled.settings import run_settings
from ...training.compiled.step import Carry, rate_of
from ...training.curves.learning_curve import FailedStep, LearningCurve
from ...training.loop.advance import advance_until
from ...training.loop.nonfinite import STATE, StateWatch, inspect_step
from ...training.loop.run import Source
from ...training.preparation import prepare
from ...training.problem import as_problem
from .diagnose import Diagnosis, diagnose
from .training_state import as_carry, run_of
from .verdict import Remedy, times


def run_branch(
    program: Program, source: Source, start: Carry, factor: float, steps: int
) -> LearningCurve:
    """Continue a run with its updates multiplied by `factor`, for `steps` or until it fails."""
    program = dataclasses.replace(program, hyperparams=as_data({"factor": factor}))
    begin, failed = int(np.asarray(start.step)), None
    watch = StateWatch(start.model_state)
    carry, records, failure, _ = advance_until(program, source, copied(start), begin + steps)
    if leaf := watch.fault(carry.model_state):
        failed = FailedStep(steps, STATE, leaf)
    if failure is not None:
        failed = _failed_step(program, source, start, failure.step - begin, failure.quantity)
    rate = rate_of(start.opt_state)
    return LearningCurve(
        losses=records["loss"].astype(np.float64),
        rate=np.nan if rate is None else factor * float(rate),
        gradients=records["grad_norm"].astype(np.float64),
        failed=failed,
    )


def _failed_step(
    program: Program, source: Source, start: Carry, step: int, quantity: str
) -> FailedStep:
    """Repeat the run up to the step before the failure, and inspect the next step."""
    last = int(np.asarray(start.step)) + step - 1
    carry = advance_until(program, source, copied(start), last).carry
    inspected, leaf = inspect_step(program, carry)
    name = {"grad_norm": "gradient", "update_norm": "update"}.get(quantity, quantity)
    return FailedStep(step, inspected or name, leaf)


@cached
def with_update_factor(tx: optax.GradientTransformation) -> Callable[..., Transformation]:
    """Return a function of a factor: `tx` with its updates multiplied, and with its own state."""
    inner = optax.with_extra_args_support(tx)

    def build(factor):
        def update_fn(updates, state, params=None, **extra_args):
            updates, state = inner.update(updates, state, params, **extra_args)
            return scale(factor, updates), state

        return optax.GradientTransformationExtraArgs(inner.init, update_fn)

    return build


FACTORS = (10.0, 1.0, 0.1)
"""The factors of the updates, a decade above and below, to compare learning rates."""


class Fork(NamedTuple):
    """Three continuations of a run, and their diagnoses.

    `str` gives the remedy and one line per continuation. Every number is in the fields.

    - `curves`: `{10.0: LearningCurve, 1.0: ..., 0.1: ...}`, with the losses of all steps.
    - `diagnoses`: the `Diagnosis` of each, with the other two as its siblings.
    - `rate`: the current learning rate at the start, from the optimizer's state; NaN without one.
    """

    curves: dict[float, LearningCurve]
    diagnoses: dict[float, Diagnosis]
    rate: float

    @property
    def remedy(self) -> Remedy:
        """The remedy for the run at its own learning rate."""
        return self.diagnoses[1.0].remedy

    def __str__(self) -> str:
        lines = [str(self.diagnoses[1.0].verdict)]
        for factor, found in self.diagnoses.items():
            rate = f" ({factor * self.rate:.3g})" if np.isfinite(self.rate) else ""
            name = "× 1" if factor == 1.0 else times(factor)
            lines.append(f"{name}{rate}: {found.symptom}.")
        if self.remedy == "keep" and self.diagnoses[1.0].symptom.name == "converged":
            lines.append(
                "The run has converged: neither learning rate reaches a clearly lower loss."
            )
        ends = [curve.failed.step for curve in self.curves.values() if curve.failed]
        if len(ends) == len(self.curves) and len({*ends}) == 1:
            lines.append(
                f"All three end at step {ends[0]}, so the parameters or the data cause it: resume "
                "from an earlier step."
            )
        return "\n".join(lines)


@run_settings()
def fork(
    problem: Any,
    state: Any,
    tx: Any,
    steps: int,
    *,
    data: Any = None,
    loss: Any = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Fork:
    """Continue a run at 10, 1 and 0.1 times its learning rate, and say which one helps.

        θ(k+1) = θ(k) + f Δθ(k),    f = 10, 1, 1/10

    All three start from the same parameters and use the same batches and the same noise, so only
    the learning rate differs. Neither Adam's direction nor a velocity depends on the learning rate,
    so a factor f on the updates of `tx` has the effect of f times the learning rate. (Schedule-free
    methods are an exception, as they keep other weights in their state.) The arguments are not
    changed.

    One program is compiled for all three, and 3 `steps` gradients are computed. A continuation ends
    at the first value that is not finite, and its `failed` names the leaf.

    **Arguments**

    - `problem`: a `training.Problem`, or a model with `data` = (x, y) and `loss` as in `lo.fit`.
    - `state`: a result of `lo.fit` (its last step) or its `NonFiniteError` (before the failed
      step); a `training.Carry`; Flax's `TrainState` or `nnx.Optimizer`; or (params, opt_state),
      where params include the model's state as its `init` returns both:
      `{"params": ..., "batch_stats": ...}`, or an Equinox (module, state).
    - `tx`: the transformation of that run.
    - `steps`: the length of each continuation, >= 1. Use about a tenth of the run, and at least 12.
    - `batch_size`: by default that of the run of `lo.fit`, or min(64, examples).
    - `seed`: of the order of the examples, if `state` has no key.

    **Raises** `TypeError` or `ValueError` for a state of another kind, model or optimizer.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
    >>> problem = lo.training.Problem.from_functions(
    ...     init=lambda key: jnp.zeros(1),
    ...     loss=lambda θ, batch: (batch["x"] @ θ - batch["y"]) ** 2,
    ...     train={"x": x, "y": 3 * x[:, 0]},
    ... )
    >>> result = lo.fit(problem, tx=lo.sgd(1e-3), steps=20)
    >>> found = lo.recipe.fork(problem, result, result.optimizer, steps=100)
    >>> found.remedy, found.diagnoses[1.0].symptom.name
    ('increase', 'healthy')

    ```
    """
    given = as_problem(problem, data, loss=loss)
    describe(tx)  # raises for an object that is not a transformation
    run = run_of(state)
    if batch_size is None and run:
        batch_size = run.program.batch_size * run.program.accumulate
    prepared = prepare(
        given,
        with_update_factor(tx),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        hyperparams={"factor": 1.0},
    )
    program, source = prepared.program, prepared.source
    start = as_carry(program, state, prepared.carry)
    curves = {factor: run_branch(program, source, start, factor, steps) for factor in FACTORS}
    found = diagnose(curves)
    if _has_run(start):
        found = {factor: _of_later_part(diagnosis) for factor, diagnosis in found.items()}
    return Fork(curves, found, curves[1.0].rate)


def _has_run(start: Carry) -> bool:
    """Return whether the run has taken steps, as its optimizer counts them, or else the loop."""
    try:
        count = current(start.opt_state).count
    except ValueError:  # the optimizer counts no steps
        count = start.step
    return int(np.asarray(count)) > 0


def _of_later_part(found: Diagnosis) -> Diagnosis:
    """Correct the diagnosis of a run that has taken steps: a flat curve may have converged."""
    symptom, verdict = found.symptom, found.verdict
    is_flat = symptom.cause in ("", "too large") and not symptom.has_risen
    if symptom.name == "no progress" and is_flat:
        symptom = symptom._replace(name="converged", cause="")
    if verdict.remedy == "uncertain" and symptom.name != "uncertain":
        verdict = verdict._replace(remedy="keep")
    return found._replace(symptom=symptom, verdict=verdict)
