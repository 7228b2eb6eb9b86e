"""How does a run go on at a multiple of its rate? Its losses, and the leaf that breaks."""

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
from ...training.compiled.program import CHUNK, Program, table_of
from ...training.compiled.step import Carry, rate_of
from ...training.loop.nonfinite import first_not_finite
from ...training.loop.sources import Rows
from ...training.preparation import prepare
from ...training.problem import as_problem
from .diagnose import Diagnosis, diagnose
from .learning_curve import Failure, Track
from .training_state import carry_of, run_of
from .verdict import times


def way_on(program: Program, source: Rows, start: Carry, factor: float, steps: int) -> Track:
    """One way on: its losses and gradients, and what was not finite."""
    program = dataclasses.replace(program, hyperparams=as_data({"factor": factor}))
    _, records = _taken(program, source, start, steps)
    finite = records["finite"].astype(bool)
    failed = None
    if not finite.all():
        good = int(np.argmin(finite))
        failed = _failure(program, source, start, good, records)
        records = {name: x[:good] for name, x in records.items()}
    return Track(
        losses=records["loss"].astype(np.float64),
        rate=factor * float(rate_of(start.opt_state)),
        gradients=records["grad_norm"].astype(np.float64),
        failed=failed,
    )


def _taken(
    program: Program, source: Rows, start: Carry, steps: int
) -> tuple[Carry, dict[str, np.ndarray]]:
    """So many steps from the start, or up to the first that is not finite; and their records."""
    carry, first = copied(start), int(np.asarray(start.step))
    tables: list[dict[str, np.ndarray]] = []
    done, is_finite = 0, True
    while done < steps and is_finite:
        carry, table, *_ = source.advance(program, carry, min(CHUNK, steps - done))
        taken = int(np.asarray(carry.step)) - first - done
        tables.append(table_of(np.asarray(table), taken))
        done, is_finite = done + taken, bool(tables[-1]["finite"].all())
    return carry, {name: np.concatenate([t[name] for t in tables]) for name in tables[0]}


def _failure(
    program: Program, source: Rows, start: Carry, good: int, records: dict[str, np.ndarray]
) -> Failure:
    """Go to the step before once more, and take the next one apart."""
    carry = _taken(program, source, start, good)[0] if good else start
    what, leaf = first_not_finite(program, carry)
    names = {"loss": "loss", "grad_norm": "gradient", "update_norm": "update"}
    bad = [word for name, word in names.items() if not np.isfinite(records[name][good])]
    return Failure(good + 1, what or (bad or ["a parameter"])[0], leaf)


@cached
def scaled(tx: optax.GradientTransformation) -> Callable[..., Transformation]:
    """`tx` with a factor on what leaves it; its state is that of `tx`."""
    inner = optax.with_extra_args_support(tx)

    def build(factor):
        def update_fn(updates, state, params=None, **extra_args):
            updates, state = inner.update(updates, state, params, **extra_args)
            return scale(factor, updates), state

        return optax.GradientTransformationExtraArgs(inner.init, update_fn)

    return build


FACTORS = (10.0, 1.0, 0.1)
"""By which the updates are multiplied: the decade above and the one below answer for the rate."""


class Fork(NamedTuple):
    """Three ways on from where a run stood, and what they say of its rate.

    Printed: what to do with the rate, then a line for each way. Every number is in the fields.

    - `curves`: `{10.0: Track, 1.0: ..., 0.1: ...}`, the losses of all steps, and how one failed.
    - `diagnoses`: a `Diagnosis` for each of them, beside the other two.
    - `rate`: in force at the start, as the optimizer's state names it; NaN where it names none.
    """

    curves: dict[float, Track]
    diagnoses: dict[float, Diagnosis]
    rate: float

    @property
    def remedy(self) -> str:
        """ "increase", "keep", "decrease", "warmup", "switch_optimizer" or "uncertain"."""
        return self.diagnoses[1.0].remedy

    def __str__(self) -> str:
        lines = [str(self.diagnoses[1.0].verdict)]
        for factor, found in self.diagnoses.items():
            rate = f" ({factor * self.rate:.3g})" if np.isfinite(self.rate) else ""
            lines.append(f"{_name(factor)}{rate}: {found.symptom}")
        if self.remedy == "keep" and self.diagnoses[1.0].symptom.name == "converged":
            lines.append("It has converged: neither rate is clearly lower from here.")
        ends = {curve.failed and curve.failed.step for curve in self.curves.values()}
        if len(ends) == 1 and None not in ends:
            lines.append(
                f"All three end at step {ends.pop()}: the weights, or a row of the data, are at "
                "fault. Go back to an earlier step."
            )
        return "\n".join(lines)


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
    """Run on from where a run stands at ten times its updates, as it is, and at a tenth.

        θ(k+1) = θ(k) + f Δθ(k),    f = 10, 1, 1/10

    From the same weights, over the same minibatches, with the same noise, so that the differences
    are those of the rate. Adam's direction and a velocity do not depend on it: f multiplies what
    leaves `tx`, as ten times the rate would. (Not so where a method keeps weights of its own, as
    schedule-free ones do.) Nothing that is given is changed.

    One program is compiled for the three, and 3 `steps` gradients are taken; an arm ends where a
    number is not finite, and the first leaf that was not is named, though the loss may still be.

    **Arguments**

    - `problem`: a `training.Problem`, or a model with `data` = (x, y) and `loss` as in `lo.fit`.
    - `state`: what `lo.fit` returned, which is gone on with from its last step, or its
      `NonFiniteError`, which stands before the step that failed; a `training.Carry`; Flax's
      `TrainState` or `nnx.Optimizer`; or (params, opt_state) of a loop of one's own, params with
      the model's state as its `init` returns both: `{"params": ..., "batch_stats": ...}`, an
      Equinox (module, state).
    - `tx`: the transformation of that run.
    - `steps`: how far each of the three goes, >= 1. Fewer than 12 say nothing, about a tenth of
      the run says most.
    - `batch_size`: that of the run of `lo.fit`, or min(64, rows), by default.
    - `seed`: of the order of rows, where `state` does not bring a key.

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
    describe(tx)  # refuses what is no transformation
    run = run_of(state)
    if batch_size is None and run:
        batch_size = run.program.batch_size * run.program.accumulate
    prepared = prepare(
        given,
        scaled(tx),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        hyperparams={"factor": 1.0},
    )
    program, source = prepared.program, prepared.source
    start = carry_of(program, state, prepared.carry)
    curves = {factor: way_on(program, source, start, factor, steps) for factor in FACTORS}
    found = diagnose(curves)
    if _has_run(start):
        found = {factor: _of_a_later_part(diagnosis) for factor, diagnosis in found.items()}
    return Fork(curves, found, curves[1.0].rate)


def _has_run(start: Carry) -> bool:
    """Whether the run had taken steps, as its optimizer counts them, or else the loop."""
    try:
        count = current(start.opt_state).count
    except ValueError:  # nothing in it counts
        count = start.step
    return int(np.asarray(count)) > 0


def _of_a_later_part(found: Diagnosis) -> Diagnosis:
    """What falls no more from where it stands, at no rate, has come to its end, or to a plateau:
    nothing says that it never made progress."""
    symptom, verdict = found
    if symptom.name == "no progress" and not symptom.cause:
        symptom = symptom._replace(name="converged")
    if verdict.remedy == "switch_optimizer":
        verdict = verdict._replace(remedy="keep")
    return Diagnosis(symptom, verdict)


def _name(factor: float) -> str:
    return "× 1" if factor == 1.0 else times(factor)
