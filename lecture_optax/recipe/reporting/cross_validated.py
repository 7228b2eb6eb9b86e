"""The findings of a search that used folds: what was selected, why, how sure, and what more brings.

They take the place of the first four of `findings.py`, whose losses are of one validation set.
"""

from collections.abc import Iterator

from ..._core.types import Finding
from ..population.arms import Arm
from ..search.folds import CrossValidation, Rival
from .explanation import Explanation


def findings_of_folds(e: Explanation, cv: CrossValidation) -> Iterator[Finding]:
    """Yield the findings of cross-validation."""
    yield _selected(e, cv)
    yield _learning_rate(cv)
    yield _confidence(cv)
    yield _more(e, cv)


def _selected(e: Explanation, cv: CrossValidation) -> Finding:
    kind = "averaged" if cv.is_average else "raw"
    decay = f", decaying to 0 over steps {cv.arm.decay[0]:,} to {e.steps:,}" if cv.arm.decay else ""
    numbers = {"rate": cv.arm.rate, "decay": cv.arm.decay, "step": cv.step, "loss": cv.loss}
    numbers |= {"error": cv.error, "start": cv.start, "folds": cv.folds, "all_rows": cv.all_rows}
    sentence = (
        f"Selected: {e.optimizers[cv.arm.optimizer]} at {cv.arm.rate:.3g}{decay}, with the {kind} "
        f"weights of step {cv.step:,}, trained on all {cv.all_rows:,} examples: expect a loss of "
        f"{cv.loss:.4g} ± {cv.error:.1g} on new examples (at the start {cv.start:.4g}), the mean "
        f"over {cv.folds} folds that were not trained on."
    )
    return Finding("cross-validated", numbers, sentence)


def _learning_rate(cv: CrossValidation) -> Finding:
    parts = [_beside(cv, rival) for rival in cv.rivals]
    numbers = {"rate": cv.arm.rate, "rivals": cv.rivals}
    why = "; ".join(parts) or "no other one was finite in all folds"
    return Finding("learning rate", numbers, f"Why {cv.arm.rate:.3g}: {why}.")


def _beside(cv: CrossValidation, rival: Rival) -> str:
    size = f"{abs(rival.difference):.2g} ± {rival.error:.1g}"
    if rival.difference > 0:
        return f"{_name(rival.arm)} is worse by {size} over the folds"
    return (
        f"{_name(rival.arm)} is better by {size} over the folds, which is within the error, and of "
        "two that tie the smaller one is selected"
    )


def _name(arm: Arm) -> str:
    return f"{arm.rate:.3g}"


def _confidence(cv: CrossValidation) -> Finding:
    gain, trained = cv.start - cv.loss, cv.all_rows - cv.rows // cv.folds
    numbers = {"gain": gain, "error": cv.gain_error, "rows": cv.rows, "folds": cv.folds}
    sentence = (
        f"How sure: the gain is {gain:.4g} ± {cv.gain_error:.1g} on {cv.rows:,} examples; arms of "
        f"a fold trained on {trained:,} of {cv.all_rows:,}, so the selected one, which trained on "
        "all, may be better."
    )
    return Finding("folds", numbers, sentence)


def _more(e: Explanation, cv: CrossValidation) -> Finding:
    numbers = {"step": cv.step, "steps": e.steps, "folds": cv.folds}
    if cv.step < e.steps:
        sentence = f"more steps will not help, as the loss was lowest at step {cv.step:,}"
    else:
        sentence = "more steps may help, as the loss was lowest at the last one"
    name = "lowest before the end" if cv.step < e.steps else "lowest at the end"
    return Finding(name, numbers, f"What more would bring: {sentence}; more examples help most.")
