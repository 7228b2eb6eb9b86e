"""What stands out in a finished run, a finding each: its data, its symptom, its validation losses.

`overfitting` and `lagging_statistics` take numbers and weights, not a result: the explanation of a
search says the same, and so do `checks.scale.scale_findings` about the data.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._core.types import Finding
from .._trees import n_rows, take_rows
from ..checks.scale import scale_findings
from ..compiled.program import Program
from ..compiled.step import Carry
from ..curves.learning_curve import HELD_OUT, learning_curve_of
from ..curves.symptoms import GAP, Symptom, ValidationLoss, symptom_of
from ..loop.batch_statistics import ROWS, has_statistics, recompute_batch_statistics
from ..loop.evaluation import evaluate, evaluated_weights
from ..loop.run import columns_of

ADVICE = "Try a tenth of the learning rate, or a warmup."

OVERFITTING, LAG = "overfitting", "statistics lag"
"""The names of the findings that a search shares."""


def remarks(result: Any) -> list[Finding]:
    """Return what stands out in the curves of a `training.Result`, with the numbers."""
    history = result.history
    symptom, found = symptom_of(learning_curve_of(history)), []
    if result.stopped:
        words = f"Stopped at step {result.steps:,} by {result.stopped}."
        found.append(Finding("stopped", {"step": result.steps}, words))
    if result.problem.per_example is not None:
        found += scale_findings(result.problem.train)
    found += _of_training(result, symptom)
    found += _of_evaluations(result, symptom)
    validation_rises = symptom.validation is not None and symptom.validation.has_risen
    drop = _last_drop(history.per_step.get("loss", np.zeros(0)).astype(np.float64))
    if drop > 0.1 and not (result.stopped or has_diverged(symptom) or validation_rises):
        words = f"The loss decreased by {drop:.0%} in the last tenth of the steps"
        words += ": more steps may help."
        found.append(Finding("still decreasing", {"decrease": drop}, words))
    return found


def overfitting(train_loss: float, valid_loss: float) -> Finding | None:
    """Return a finding if the validation loss of a run is far above its training loss."""
    if not valid_loss > GAP * train_loss > 0:
        return None
    numbers = {"train_loss": train_loss, "valid_loss": valid_loss}
    words = (
        f"The validation loss, {valid_loss:.3g}, is {valid_loss / train_loss:.3g} times the "
        f"training loss, {train_loss:.3g}: the model overfits; more data or regularization "
        "(dropout, weight decay) may help."
    )
    return Finding(OVERFITTING, numbers, words)


def lagging_statistics(
    program: Program, carry: Carry, params: Any, valid: Any, train_loss: float, loss: float
) -> Finding | None:
    """Return a finding if the running statistics of BatchNorm explain a high loss of `params`.

    **Arguments**

    - `valid`: the examples that the model was evaluated on, with the statistics of `carry`.
    - `train_loss`, `loss`: the training loss, and the loss of that evaluation.
    """
    if not loss > GAP * train_loss > 0:
        return None
    problem = program.problem
    found = recompute_batch_statistics(program, carry, params, problem.train)
    if found is carry.model_state:
        return None
    anew = evaluate(problem.functions.examples, params, found, valid)["loss"]
    if not anew < (loss + train_loss) / 2:
        return None
    words = (
        f"In evaluation mode the loss is {loss:.3g}, and {anew:.3g} with the batch statistics of "
        "these parameters: the running statistics of BatchNorm lag behind, as they average over "
        "many steps. Pass average=True, which computes them again for every evaluation, or lower "
        "BatchNorm's momentum."
    )
    return Finding(LAG, {"train_loss": train_loss, "loss": loss, "recomputed_loss": anew}, words)


def _of_training(result: Any, symptom: Symptom) -> Iterator[Finding]:
    steps = result.history.per_step
    if has_diverged(symptom):
        numbers = {"start": symptom.start, "lowest": symptom.lowest, "end": symptom.end}
        words = f"The run diverged: its training loss {symptom.path}. {ADVICE}{_kept(result)}"
        yield Finding("diverged", numbers, words)
    elif not _moves(steps["grad_norm"]):
        yield Finding(
            "no gradient",
            {},
            "The gradient was 0 at every step, so nothing was trained: look for a loss that does "
            "not depend on the parameters (stop_gradient, argmax, rounding), and for units that "
            "are all inactive.",
        )
    elif not _moves(steps["update_norm"]):
        yield Finding(
            "no update",
            {},
            "Every update was 0, so the parameters did not change. Check the learning rate and the "
            "masks of the optimizer.",
        )
    elif symptom.name == "no progress" and symptom.decrease.value < 0.1 * abs(symptom.start):
        yield _no_progress(symptom, float(steps["loss"].max()))
    elif symptom.name == "oscillating":
        yield Finding(
            "oscillating",
            {"rises": symptom.rises, "rise": symptom.rise},
            f"The training loss rose {symptom.rises} times in the second half, by up to "
            f"{symptom.rise:.2g}: try a smaller learning rate, or one that decays.",
        )


def _moves(norms: np.ndarray) -> bool:
    """Return whether a norm is not 0, of the steps where it is known."""
    return bool(np.nan_to_num(norms).any())


def has_diverged(symptom: Symptom) -> bool:
    """Return whether a run diverged: also one that came back a part of the way to its start."""
    above = symptom.cause == "too large" and symptom.level > GAP * symptom.start > 0
    return symptom.name == "diverging" or above


def _kept(result: Any) -> str:
    if result.kept.step >= result.steps:
        return ""
    return f" The returned parameters are those of {result.kept}, before that."


def _no_progress(s: Symptom, highest: float) -> Finding:
    if s.cause == "dead":
        advice = (
            "The gradient vanished: the units of the network may all be inactive. Try a smaller "
            "learning rate."
        )
    else:
        is_higher = s.cause == "too large" or s.level > GAP * abs(s.start)
        advice = ADVICE if is_higher else "`recipe.fork` tries other learning rates."
    words = (
        f"The training loss did not decrease by more than its noise: {s.start:.3g} at first, "
        f"{s.level:.3g} in the last quarter, {highest:.3g} at most. {advice}"
    )
    return Finding("no progress", {"start": s.start, "level": s.level, "highest": highest}, words)


def _of_evaluations(result: Any, symptom: Symptom) -> Iterator[Finding]:
    columns = columns_of(result.history.evaluations)
    if "valid_loss" in columns:
        yield from _not_finite(columns)
        yield from _constant(columns["valid_loss"], result.history.per_step.get("update_norm"))
    if has_diverged(symptom) or symptom.name == "no progress":
        return
    if lag := _lag(result):
        yield lag
    elif symptom.validation is not None and symptom.validation.has_risen:
        yield _risen(symptom, symptom.validation)
    elif found := overfitting(*_losses_of_kept(result)):
        yield found


def _losses_of_kept(result: Any) -> tuple[float, float]:
    """Return the training loss and the validation loss at the step of the returned weights."""
    line = next((x for x in result.history.evaluations if x["step"] == result.kept.step), {})
    name = "averaged_loss" if result.kept.is_average else "valid_loss"
    return line.get("train_loss", math.nan), line.get(name, math.nan)


def _not_finite(columns: dict[str, np.ndarray]) -> Iterator[Finding]:
    losses = np.array([columns[name] for name in HELD_OUT if name in columns])
    bad = int((~np.isfinite(losses)).sum())
    if bad:
        yield Finding(
            "validation loss not finite",
            {"evaluations": losses.size, "not_finite": bad},
            f"{bad} of {losses.size} validation losses were not finite. Look for validation "
            "examples on which the model or the loss overflows, or takes a logarithm of 0.",
        )


def _constant(losses: np.ndarray, updates: np.ndarray | None) -> Iterator[Finding]:
    is_constant = np.isfinite(losses[0]) and (losses == losses[0]).all()
    if len(losses) > 2 and is_constant and updates is not None and _moves(updates):
        yield Finding(
            "validation loss constant",
            {"valid_loss": float(losses[0])},
            f"The validation loss is {losses[0]:.4g} at every evaluation: the prediction in "
            "evaluation mode does not depend on what was trained.",
        )


def _risen(symptom: Symptom, validation: ValidationLoss) -> Finding:
    risen = (validation.last - validation.lowest) / abs(validation.lowest or 1)
    numbers = {"step": validation.step, "lowest": validation.lowest, "last": validation.last}
    sentence = (
        f"The validation loss was lowest at step {validation.step:,} and has risen by {risen:.0%} "
        "since"
    )
    if symptom.name == "overfitting":
        numbers["train_loss"] = symptom.level
        words = f"{sentence}, while the training loss is {symptom.level:.3g}: the model overfits."
        return Finding(OVERFITTING, numbers, words)
    if validation.training_has_risen:
        sentence += ", and the training loss with it: try a learning rate that decays"
    return Finding("validation loss rises", numbers, f"{sentence}.")


def _lag(result: Any) -> Finding | None:
    """Return whether running statistics lag behind the last weights, if those are returned.

    Without a validation set, training examples are evaluated.
    """
    run = result.run
    if run is None or result.kept.is_average or not result.history.evaluations:
        return None
    line, problem = result.history.evaluations[-1], run.program.problem
    params, state = evaluated_weights(run.carry, lambda params: None)
    valid, loss = run.valid, line.get("valid_loss", math.nan)
    if valid is None and has_statistics(state):
        valid = take_rows(problem.train, slice(min(ROWS, n_rows(problem.train))))
        loss = evaluate(problem.functions.examples, params, state, valid)["loss"]
    return lagging_statistics(
        run.program, run.carry, params, valid, line.get("train_loss", math.nan), loss
    )


def _last_drop(losses: np.ndarray) -> float:
    """Return the relative decrease of the loss in the last tenth, or 0 where it may be noise."""
    tenth = len(losses) // 10
    if tenth < 10:
        return 0.0
    before, last = losses[-2 * tenth : -tenth], losses[-tenth:]
    noise = math.hypot(before.std(), last.std()) / math.sqrt(tenth)
    drop = before.mean() - last.mean()
    return drop / before.mean() if before.mean() > 0 and drop > 3 * noise else 0.0
