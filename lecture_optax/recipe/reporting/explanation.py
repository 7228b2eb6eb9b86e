"""The data behind an explanation: what a search tried, what each arm reached, what it returns.

`comparisons.py` compares the records; `findings.py` puts them into sentences.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..._core.types import Finding
from ...training._trees import n_rows
from ...training.checks.scale import scale_findings
from ...training.compiled.program import Program
from ...training.curves.symptoms import Symptom
from ...training.loop.batch_statistics import has_statistics
from ..diagnosis.siblings import symptoms_of
from ..population.arms import Arm
from ..population.curve import Curve, Evaluation
from ..population.memory import memory_finding
from ..population.worker import weights_of
from ..search.folds import CrossValidation, standard_error
from ..search.runner import Candidate, Runner
from ..search.select import Selection, paired_error


class ArmRecord(NamedTuple):
    """The record of one arm of a search.

    - `change`: the lowest change of the validation loss since the start, of raw or averaged
      weights; of late evaluations if there are any, as early ones use other examples; infinite if
      the loss was never finite.
    - `at`: the step of it; `steps`: how far the arm ran; `failed`: the step that was not finite,
      and the quantity.
    - `evaluations`: all of them. Two arms evaluated at the same step used the same examples.
    - `symptom`: of its training losses, beside those of its siblings.
    - `loss`: that of its best weights, where they were compared with others on all examples;
      `error`: the standard error of its loss minus that of the selected weights, paired by example.
      NaN where they are not known.
    """

    optimizer: str
    rate: float
    decay: tuple[int, int] | None
    steps: int
    change: float
    at: int
    failed: tuple[int, str] | None
    evaluations: tuple[Evaluation, ...]
    symptom: Symptom | None = None
    loss: float = np.nan
    error: float = np.nan


class Aim(NamedTuple):
    """The learning rate of an optimizer that is predicted to be the best at the end of a run.

    `step`: at which it was seen.
    """

    optimizer: str
    step: int
    rate: float


class Explanation(NamedTuple):
    """The numbers behind every sentence of `Result.explain`.

    - `arms`: a record for every arm, the best first; `winner`: the selected arm, or None. The
      search returns its weights of `step`, averaged or raw. `optimizers`: in the order tried.
    - `start`, `loss`: the validation loss before and after; `error`: the standard error of the
      gain; `rows`: the number of validation examples, and `held_out_from_train`: whether they
      were held out from the training data.
    - `subset_rows`: the number of examples of late evaluations; `subset_start`: the loss of the
      start on them. Evaluations are changes from it, early ones from `early_start`.
    - `gradients`, `limit`: used and allowed; `evaluation_share`: the compute of the evaluations as
      a fraction of that of the gradients.
    - `ended`: False if the search was stopped by hand.
    - `aims`: what the search aimed at, in the order of the steps.
    - `loss_error`: the standard error of `loss` over the validation examples, NaN if not known.
    - `train_loss`: the winner's mean training loss before `step`, NaN where there is no winner.
    - `has_statistics`: whether the model keeps running statistics, as BatchNorm does;
      `out_of_scale`: the findings about the scale of its data.
    - `cross_validation`: of the returned weights, if the search used folds. They were trained on
      all examples; `winner`, `step` and `loss` are then those of its learning rate in the search.
    - `memory`: what the search needs on each device, of a large model.
    """

    arms: tuple[ArmRecord, ...]
    winner: ArmRecord | None
    step: int
    is_average: bool
    start: float
    loss: float
    error: float
    reason: str
    rows: int
    subset_rows: int
    subset_start: float
    early_start: float
    held_out_from_train: bool
    steps: int
    gradients: int
    limit: int
    evaluation_share: float
    optimizers: tuple[str, ...]
    ended: bool = True
    aims: tuple[Aim, ...] = ()
    loss_error: float = np.nan
    train_loss: float = np.nan
    has_statistics: bool = False
    out_of_scale: tuple[Finding, ...] = ()
    cross_validation: CrossValidation | None = None
    memory: tuple[Finding, ...] = ()


def explanation_of(
    runner: Runner,
    selection: Selection,
    optimizers: Sequence[str],
    held_out_from_train: bool,
    ended: bool,
) -> Explanation:
    """Read the explanation from a finished search."""
    population, held_out = runner.population, runner.held_out
    curves = {arm: x.curve for arm, x in runner.members.items() if arm.fold is None}
    symptoms, errors = symptoms_of(curves, population.steps), _errors(runner, selection)
    records = {
        arm: _record(optimizers[arm.optimizer], arm, curve, symptoms[arm])._replace(
            loss=float(np.mean(selection.others.get(arm, np.nan))), error=errors.get(arm, np.nan)
        )
        for arm, curve in curves.items()
    }
    found, gain, error = _in_the_search(runner, selection)
    problem = population.program.problem
    forward_rows = runner.spent * _rows_of_an_update(population.program) * 3
    return Explanation(
        arms=tuple(sorted(records.values(), key=lambda record: record.change)),
        winner=records[found.arm] if found else None,
        step=found.step if found else 0,
        is_average=bool(found and found.is_average),
        start=held_out.start["all"],
        loss=held_out.start["all"] - gain,
        error=error,
        reason=selection.reason,
        rows=n_rows(held_out.all),
        subset_rows=held_out.plan.late,
        subset_start=held_out.start["late"],
        early_start=held_out.start["early"],
        held_out_from_train=held_out_from_train,
        steps=population.steps,
        gradients=runner.spent,
        limit=runner.limit,
        evaluation_share=runner.rows_evaluated / max(1, forward_rows),
        optimizers=tuple(optimizers),
        ended=ended,
        memory=memory_finding(runner.memory) if runner.memory else (),
        aims=tuple(
            Aim(optimizers[optimizer], step, 10 ** (aim / 4))
            for (optimizer, step), aim in sorted(runner.journal.aims.items(), key=lambda x: x[0][1])
        ),
        loss_error=np.nan if selection.losses is None else standard_error(selection.losses),
        train_loss=_train_loss(curves[found.arm], found.arm, found.step) if found else np.nan,
        has_statistics=has_statistics(population.start.model_state),
        out_of_scale=tuple(scale_findings(problem.train)) if problem.per_example else (),
        cross_validation=selection.refit and selection.refit.validation,
    )


def _rows_of_an_update(program: Program) -> int:
    return program.batch_size * program.accumulate


def of_the_refit(e: Explanation) -> Explanation:
    """Return the explanation with the returned weights as the winner, if folds selected them."""
    cv = e.cross_validation
    if cv is None:
        return e
    name, change = e.optimizers[cv.arm.optimizer], cv.loss - cv.start
    own = ArmRecord(name, cv.arm.rate, cv.arm.decay, cv.step, change, cv.step, None, ())
    return e._replace(arms=(own,), winner=own, step=cv.step, is_average=cv.is_average)


def _in_the_search(runner: Runner, selection: Selection) -> tuple[Candidate | None, float, float]:
    """Return the selected weights, their gain and its error on the validation set.

    With folds, these are the best of the search with the learning rate that was cross-validated.
    """
    if selection.refit is not None:
        own = selection.refit.candidate.arm[:2]
        kin = [x for x in runner.candidates if x.arm[:2] == own]
        if kin and (selection.candidate is None or selection.candidate.arm[:2] != own):
            best = min(kin, key=lambda x: x.loss_change)
            best = best._replace(weights=runner.weights_of(best))
            return best, -best.loss_change, np.nan
    return selection.candidate, selection.gain, selection.error


def _record(optimizer: str, arm: Arm, curve: Curve, symptom: Symptom | None) -> ArmRecord:
    late = [x for x in curve.evaluations if not np.isnan(x.raw)] or curve.evaluations
    changes = [(float(np.nanmin((x.raw, x.averaged))), x.step) for x in late]
    change, at = min(changes, default=(np.inf, 0))
    return ArmRecord(
        optimizer=optimizer,
        rate=arm.rate,
        decay=arm.decay,
        steps=curve.step,
        change=change,
        at=at,
        failed=curve.failed,
        evaluations=tuple(curve.evaluations),
        symptom=symptom,
    )


COMPARED, SHARE = 2, 0.12
"""The arms whose error is measured at the end, while evaluations cost no more of the compute."""


def _errors(runner: Runner, selection: Selection) -> dict[Arm, float]:
    """Return the paired errors of the best arms that ran as far as the selected weights."""
    found, held_out, population = selection.candidate, runner.held_out, runner.population
    if found is None or selection.losses is None or selection.refit is not None:
        return {}  # cross-validation has its own
    errors = {arm: paired_error(x, selection.losses) for arm, x in selection.others.items()}
    if has_statistics(found.model_state):  # of averaged weights they would have to be computed
        return errors
    far = [
        arm
        for arm, member in runner.members.items()
        if arm.fold is None
        and member.is_finite
        and member.carry is not None
        and member.curve.step >= found.step
    ]
    for arm in sorted({*far} - {*errors, found.arm}, key=runner.journal.best_loss)[:COMPARED]:
        examples = runner.rows_evaluated + n_rows(held_out.all)
        if examples > SHARE * runner.spent * _rows_of_an_update(population.program) * 3:
            break
        losses = held_out.losses(*weights_of(runner.carry_of(arm), found.is_average))
        errors[arm] = paired_error(losses, selection.losses)
    return errors


BEFORE = 8
"""The blocks of training losses, of 32 to 64, whose mean is the training loss of weights."""


def _train_loss(curve: Curve, arm: Arm, step: int) -> float:
    """Return the mean training loss before a step, or NaN before the first block."""
    until = max(1, (step - arm.begin) // curve.width)
    means = curve.means[max(0, until - BEFORE) : until]
    return float(np.mean(means)) if means else np.nan
