"""What stands out in a finished run, a sentence each: its symptom, and its validation losses."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..checks.scale import scale_remarks
from ..curves.learning_curve import HELD_OUT, LearningCurve, evaluations_of, learning_curve_of
from ..curves.symptoms import GAP, Symptom, ValidationLoss, symptom_of
from ..loop.batch_statistics import recompute_batch_statistics
from ..loop.evaluation import evaluate, evaluated_weights
from ..loop.run import columns_of

ADVICE = "Try a tenth of the learning rate, or a warmup."


def remarks(result: Any) -> list[str]:
    """Return what stands out in the curves of a `training.Result`, with the numbers."""
    history = result.history
    if len(history):
        curve = learning_curve_of(history)
    else:  # of a search
        curve = LearningCurve(np.zeros(0), evaluations=evaluations_of(history))
    symptom = symptom_of(curve)
    found = [f"Stopped at step {result.steps:,} by {result.stopped}."] if result.stopped else []
    if result.problem.per_example is not None:
        found += scale_remarks(result.problem.train)
    found += _of_training(result, symptom) if len(history) else ()
    found += _of_validation(result, symptom)
    validation_rises = symptom.validation is not None and symptom.validation.has_risen
    drop = _last_drop(history.per_step.get("loss", np.zeros(0)).astype(np.float64))
    if drop > 0.1 and not (result.stopped or has_diverged(symptom) or validation_rises):
        found.append(
            f"The loss decreased by {drop:.0%} in the last tenth of the steps: more steps may help."
        )
    return found


def _of_training(result: Any, symptom: Symptom) -> Iterator[str]:
    steps = result.history.per_step
    if has_diverged(symptom):
        yield f"The run diverged: its training loss {symptom.path}. {ADVICE}{_kept(result)}"
    elif not steps["grad_norm"].any():
        yield (
            "The gradient was 0 at every step, so nothing was trained: look for a loss that does "
            "not depend on the parameters (stop_gradient, argmax, rounding), and for units that "
            "are all inactive."
        )
    elif not steps["update_norm"].any():
        yield (
            "Every update was 0, so the parameters did not change. Check the learning rate and the "
            "masks of the optimizer."
        )
    elif symptom.name == "no progress" and symptom.decrease.value < 0.1 * abs(symptom.start):
        yield _no_progress(symptom, float(steps["loss"].max()))
    elif symptom.name == "oscillating":
        yield (
            f"The training loss rose {symptom.rises} times in the second half, by up to "
            f"{symptom.rise:.2g}: try a smaller learning rate, or one that decays."
        )


def has_diverged(symptom: Symptom) -> bool:
    """Return whether a run diverged: also one that came back a part of the way to its start."""
    above = symptom.cause == "too large" and symptom.level > GAP * symptom.start > 0
    return symptom.name == "diverging" or above


def _kept(result: Any) -> str:
    if result.kept.step >= result.steps:
        return ""
    return f" The returned parameters are those of {result.kept}, before that."


def _no_progress(s: Symptom, highest: float) -> str:
    if s.cause == "dead":
        advice = (
            "The gradient vanished: the units of the network may all be inactive. Try a smaller "
            "learning rate."
        )
    else:
        is_higher = s.cause == "too large" or s.level > GAP * abs(s.start)
        advice = ADVICE if is_higher else "`recipe.fork` tries other learning rates."
    return (
        f"The training loss did not decrease by more than its noise: {s.start:.3g} at first, "
        f"{s.level:.3g} in the last quarter, {highest:.3g} at most. {advice}"
    )


def _of_validation(result: Any, symptom: Symptom) -> Iterator[str]:
    columns = columns_of(result.history.evaluations)
    if "valid_loss" not in columns:
        return
    yield from _not_finite(columns)
    losses, updates = columns["valid_loss"], result.history.per_step.get("update_norm", np.zeros(0))
    is_constant = np.isfinite(losses[0]) and (losses == losses[0]).all()
    if len(losses) > 2 and is_constant and updates.any():
        yield (
            f"The validation loss is {losses[0]:.4g} at every evaluation: the prediction in "
            "evaluation mode does not depend on what was trained."
        )
    if symptom.validation is None or has_diverged(symptom) or symptom.name == "no progress":
        return
    if lag := _lag(result):
        yield lag
        return
    line = next((x for x in result.history.evaluations if x["step"] == result.kept.step), {})
    name = "averaged_loss" if result.kept.is_average else "valid_loss"
    train, valid = line.get("train_loss", math.nan), line.get(name, math.nan)
    if symptom.validation.has_risen:
        yield _risen(symptom, symptom.validation)
    elif valid > GAP * train > 0:
        yield (
            f"The validation loss, {valid:.3g}, is {valid / train:.2g} times the training loss: "
            "the model fits the training examples better than others."
        )


def _not_finite(columns: dict[str, np.ndarray]) -> Iterator[str]:
    losses = np.array([columns[name] for name in HELD_OUT if name in columns])
    bad = int((~np.isfinite(losses)).sum())
    if bad:
        yield (
            f"{bad} of {losses.size} validation losses were not finite. Look for validation "
            "examples on which the model or the loss overflows, or takes a logarithm of 0."
        )


def _risen(symptom: Symptom, validation: ValidationLoss) -> str:
    risen = (validation.last - validation.lowest) / abs(validation.lowest or 1)
    sentence = (
        f"The validation loss was lowest at step {validation.step:,} and has risen by {risen:.0%} "
        "since"
    )
    if symptom.name == "overfitting":
        return f"{sentence}, while the training loss is {symptom.level:.3g}: the model overfits."
    if validation.training_has_risen:
        return f"{sentence}, and the training loss with it: try a learning rate that decays."
    return f"{sentence}."


def _lag(result: Any) -> str:
    """Return how much of the last validation loss comes from BatchNorm's running statistics."""
    run, line = result.run, result.history.evaluations[-1]
    train, valid = line.get("train_loss", math.nan), line["valid_loss"]
    if run is None or run.valid is None or result.kept.is_average or not valid > GAP * train > 0:
        return ""
    problem = run.program.problem
    params, _ = evaluated_weights(run.carry, lambda params: None)
    found = recompute_batch_statistics(run.program, run.carry, params, problem.train)
    if found is run.carry.model_state:
        return ""
    loss = evaluate(problem.functions.examples, params, found, run.valid)["loss"]
    if not loss < (valid + train) / 2:
        return ""
    return (
        f"The validation loss is {valid:.3g} at the end, and {loss:.3g} with the batch statistics "
        "of these parameters: the running statistics of BatchNorm lag behind, as they average over "
        "many steps. Pass average=True, which computes them again for every evaluation, or lower "
        "BatchNorm's momentum."
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
