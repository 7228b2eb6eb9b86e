"""The sentences and tables of a report, with the numbers of `comparisons.py`."""

import math
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from ..._core.tables import text_table
from ..diagnosis.verdict import times
from . import comparisons as f
from .explanation import ArmRecord, Explanation

BASIS = (
    "Symptoms come from training losses. Remedies compare arms with constant learning rates on the "
    "same batches, at the last common step: by validation loss if both were evaluated there, "
    "otherwise by training loss."
)

PAYS = 0.005
"""More steps pay if the last quarter of the steps brought .005 of the gain: at this pace, four
times as many bring 6 %."""


def sentences(e: Explanation) -> list[str]:
    """Return the explanation, one claim per line."""
    winner = e.winner
    if winner is None:
        found = _nothing_found(e) if e.ended else _nothing_yet(e)
        return [found, *_failures(e), _cost(e)]
    reasons = (
        *_learning_rate(e, winner),
        *_diagnosis(winner),
        *_optimizers(e, winner),
        *_schedule(e, winner),
        *_average(e, winner),
        *_edges(e),
        *_more_steps(e, winner),
        *_failures(e),
    )
    return [_selected(e, winner), *_stopped(e), _confidence(e, winner), *reasons, _cost(e)]


def describe_arm(arm: ArmRecord) -> str:
    """Return text like "adam at 0.01, decaying to 0 over steps 300 to 600"."""
    decay = f", decaying to 0 over steps {arm.decay[0]} to {arm.decay[1]}" if arm.decay else ""
    return f"{arm.optimizer} at {arm.rate:.3g}{decay}"


def outcome_of(e: Explanation, arm: ArmRecord) -> str:
    """Return the outcome of an arm, short enough for the cell of a table."""
    if arm == e.winner:
        return f"selected, {'averaged' if e.is_average else 'raw'} weights of step {e.step}"
    if arm.failed:
        return f"not finite at step {arm.failed[0]} ({arm.failed[1]})"
    if f.diverged(arm):
        return f"worse than the start at step {arm.evaluations[-1].step}"
    return "ran to the end" if arm.steps >= e.steps else f"pruned at step {arm.steps}"


def _nothing_found(e: Explanation) -> str:
    failed = [arm for arm in e.arms if arm.failed]
    why = f"{len(failed)} of {len(e.arms)} arms were not finite" if failed else "all are flat"
    return (
        f"No arm was better than the start (validation loss {e.start:.5g} on {_examples(e)}): "
        f"{why}. The model is returned unchanged. Check for inputs out of scale, a loss that does "
        "not depend on the parameters, and log, sqrt or division at 0."
    )


def _nothing_yet(e: Explanation) -> str:
    return (
        f"The search was stopped by hand after {e.gradients} of {e.limit} gradients, before any "
        f"arm was better than the start (validation loss {e.start:.5g} on {_examples(e)}): the "
        "model is returned with its initial parameters."
    )


def _selected(e: Explanation, winner: ArmRecord) -> str:
    kind = "averaged" if e.is_average else "raw"
    return (
        f"{describe_arm(winner)}, {kind} weights of step {e.step}: the validation loss decreased "
        f"from {e.start:.5g} to {e.loss:.5g}."
    )


def _stopped(e: Explanation) -> Iterator[str]:
    if not e.ended:
        yield (
            f"The search was stopped by hand after {e.gradients} of {e.limit} gradients: this is "
            "the best result so far."
        )


def _examples(e: Explanation) -> str:
    origin = "held out from the training data" if e.held_out_from_train else "given"
    return f"{e.rows} validation examples ({origin})"


def _confidence(e: Explanation, winner: ArmRecord) -> str:
    head = f"Confidence: {_examples(e)} selected it"
    if np.isnan(e.error):
        why = "there is only one example" if e.rows < 2 else "the loss is not a mean over examples"
        return f"{head}; the error of the gain is not known, as {why}."
    reason = "" if e.reason == "lowest" else f" ({e.reason})"
    gain = f"{e.start - e.loss:.4g} ± {e.error:.2g} (one standard error over examples)"
    return f"{head}{reason}; the gain is {gain}.{_subset(e)} {_near_ties(e, winner)}"


def _subset(e: Explanation) -> str:
    if e.subset_rows == e.rows:
        return ""
    return f" Evaluations during the search used a subset of {e.subset_rows}."


def _near_ties(e: Explanation, winner: ArmRecord) -> str:
    arms = f.near_ties(e, winner)
    if not arms:
        return "No other arm is within 1 %."
    count = f"{len(arms)} other arms are" if len(arms) > 1 else "1 other arm is"
    return f"{count} within 1 %: {'; '.join(describe_arm(arm) for arm in arms)}."


def _learning_rate(e: Explanation, winner: ArmRecord) -> Iterator[str]:
    """Yield what 10 and 0.1 times the learning rate did, and the nearest learning rates."""
    tried = f.constant_arms(e, winner.optimizer)
    count = f"{len(tried)} learning rates" if len(tried) > 1 else "1 learning rate"
    yield (
        f"Why this learning rate: {winner.optimizer} was tried at {count} from "
        f"{tried[0].rate:.3g} to {tried[-1].rate:.3g}."
    )
    arms = [f.nearest_rate(e, winner, decades) for decades in (1, 0.01, -0.01, -1)]
    for arm in sorted({arm for arm in arms if arm}, key=lambda arm: -arm.rate):
        yield (
            f"The learning rate {times(arm.rate / winner.rate)}, {arm.rate:.3g}, "
            f"{_compared(e, winner, arm)}."
        )


def _diagnosis(winner: ArmRecord) -> Iterator[str]:
    if winner.diagnosis is not None:
        symptom, verdict = winner.diagnosis
        yield f"Symptom at this learning rate: {symptom}. Remedy: {verdict.phrase()}."


def _compared(e: Explanation, winner: ArmRecord, arm: ArmRecord) -> str:
    if arm.failed:
        return f"was not finite at step {arm.failed[0]}"
    pair = f.compare(e, winner, arm)
    return _pair(pair) if pair else f"ran {arm.steps} steps"


def _pair(pair: f.ArmComparison) -> str:
    return (
        f"had {_changed(pair.change)} the loss by {abs(pair.change):.4g} at step {pair.step}, "
        f"where this arm had {_changed(pair.winner)} it by {abs(pair.winner):.4g}"
    )


def _changed(change: float) -> str:
    return "decreased" if change <= 0 else "increased"


def _optimizers(e: Explanation, winner: ArmRecord) -> Iterator[str]:
    for optimizer in e.optimizers:
        if optimizer == winner.optimizer:
            continue
        arms = [arm for arm in e.arms if arm.optimizer == optimizer]
        pair = f.best_of_other(e, winner, optimizer)
        if not arms:
            yield f"{optimizer} was not tried within the budget of {e.limit} gradients."
        elif pair:
            best = f"{optimizer} at its best, {pair.arm.rate:.3g}"
            yield f"Why {winner.optimizer}: {best}, {_pair(pair)}."
        else:
            yield f"Why {winner.optimizer}: no arm of {optimizer} was finite."


def _schedule(e: Explanation, winner: ArmRecord) -> Iterator[str]:
    if pair := f.other_schedule(e, winner):
        own, other = (
            "a decay" if arm.decay else "a constant learning rate" for arm in (winner, pair.arm)
        )
        yield f"Why {own}: with {other if own != other else 'another decay'} it {_pair(pair)}."


def _average(e: Explanation, winner: ArmRecord) -> Iterator[str]:
    evaluation = f.selected_evaluation(e, winner)
    if evaluation is not None:
        both = [("averaged", evaluation.averaged), ("raw", evaluation.raw)]
        (own, change), (other, others) = both if e.is_average else both[::-1]
        yield (
            f"Why {own} weights: at step {evaluation.step} they had {_changed(change)} the loss by "
            f"{abs(change):.5g}, {other} ones had {_changed(others)} it by {abs(others):.5g}."
        )


def _edges(e: Explanation) -> Iterator[str]:
    for optimizer in e.optimizers:
        if found := f.divergence_edge(e, optimizer):
            yield (
                f"The edge of divergence of {optimizer} lies between {found.below:.3g} and "
                f"{found.above:.3g}, which was {outcome_of(e, found.worst)}."
            )


def _more_steps(e: Explanation, winner: ArmRecord) -> Iterator[str]:
    """Yield whether an arm overfits, and what to expect of more steps."""
    if found := f.overfitting(e, winner):
        yield (
            f"{describe_arm(found.arm)} overfits from step {found.lowest_at} on: at step "
            f"{found.until} the validation loss of its averaged weights had risen by "
            f"{found.by:.3g}. More steps will not help; more data or regularization may."
        )
    elif late := f.late_improvement(e, winner):
        pays = "4 times as many may help" if late.part > PAYS else "more will help little"
        yield (
            f"Steps {late.since} to {late.until} decreased the loss of the averaged weights by "
            f"{late.by:.2g}, {late.part:.2%} of the gain: {pays}."
        )
    elif winner.steps < e.steps and e.limit - e.gradients < 0.1 * e.steps:
        yield (
            f"The budget ended at step {winner.steps} of {e.steps}: with a larger one, this arm "
            "continues."
        )


def _failures(e: Explanation) -> Iterator[str]:
    failed = [
        f"{describe_arm(arm)} at step {arm.failed[0]} ({arm.failed[1]})"
        for arm in e.arms
        if arm.failed
    ]
    if failed:
        yield f"Not finite: {'; '.join(sorted(failed))}."


def _cost(e: Explanation) -> str:
    cost = f"Used {e.gradients} gradients of {e.limit} (a run has {e.steps})"
    if not e.ended:  # the evaluations are planned for the whole budget
        return f"{cost}."
    return f"{cost}; evaluations cost {e.evaluation_share:.1%} of the compute."


WIDTH = 100
TEXT_COLUMNS = ("optimizer", "outcome", "symptom", "remedy")
"""Columns of text, aligned to the left; numbers are aligned to the right."""

ARM_COLUMNS = (
    "optimizer",
    "learning rate",
    "decay",
    "steps",
    "lowest loss",
    "at step",
    "outcome",
)
DIAGNOSIS_COLUMNS = ("optimizer", "learning rate", "decay", "symptom", "remedy")


def text_of(e: Explanation, last: Sequence[str] = ()) -> str:
    """Return the sentences, those of `last`, and the tables of all arms."""
    tables = []
    for columns, cells in ((ARM_COLUMNS, arm_cells), (DIAGNOSIS_COLUMNS, diagnosis_cells)):
        align = "".join("l" if name in TEXT_COLUMNS else "r" for name in columns)
        rows = [columns, *(cells(e, arm) for arm in e.arms)]
        tables.append(text_table(rows, align, width=WIDTH))
    *lines, basis = (
        textwrap.fill(line, WIDTH, break_on_hyphens=False) for line in (*sentences(e), *last, BASIS)
    )
    return "\n".join([*lines, "", tables[0], "", basis, tables[1]])


def arm_cells(e: Explanation, arm: ArmRecord) -> list[str]:
    """Return the cells of `ARM_COLUMNS`."""
    evaluated = math.isfinite(arm.change)
    return [
        arm.optimizer,
        f"{arm.rate:.3g}",
        f"{arm.decay[0]:,} to {arm.decay[1]:,}" if arm.decay else "",
        f"{arm.steps:,}",
        f"{e.subset_start + arm.change:.5g}" if evaluated else "",
        f"{arm.at:,}" if evaluated else "",
        outcome_of(e, arm),
    ]


def diagnosis_cells(e: Explanation, arm: ArmRecord) -> list[str]:
    """Return the cells of `DIAGNOSIS_COLUMNS`."""
    found = arm.diagnosis
    texts = ["", ""] if found is None else [str(found.symptom), found.verdict.phrase()]
    return [*arm_cells(e, arm)[:3], *texts]
